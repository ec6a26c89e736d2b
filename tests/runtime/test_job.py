"""Real training in a process of its own: asked, stopped, killed, found again."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dflcolab.engine.checkpoint import list_checkpoints
from dflcolab.errors import Interrupted, JobError
from dflcolab.progress import Wish
from dflcolab.runtime.job import Job, Snapshot
from dflcolab.runtime.job_files import EventLog, EventReader, JobFiles
from dflcolab.runtime.monitoring import run_training_job
from dflcolab.runtime.supervise import hears_buttons, supervise
from dflcolab.training.config import TrainConfig
from dflcolab.workspace.workspace import Workspace
from tests.runtime.runtimes import JUPYTER

WHERE = JUPYTER.where
PATIENCE_S = 240.0  # two busy cores; alone it takes ten
CONFIG = TrainConfig(model="m", preset="tiny", set=("save_minutes=0",))

ATTACH = """
import json, sys
from pathlib import Path
from dflcolab.runtime.job import Job
job = Job.running_in(Path(sys.argv[1]))
print(json.dumps([job.what, job.pid, job.snapshot().latest["saved"]["iteration"]]))
assert "tensorflow" not in sys.modules
"""


@pytest.fixture(scope="module")
def workspace(_faces_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    root = tmp_path_factory.mktemp("job") / "workspace"
    shutil.copytree(_faces_once, root)
    yield Workspace.open(root)
    job = Job.running_in(root)
    if job is not None:
        job.kill()


def wait_for(job: Job, found: Callable[[Snapshot], Any]) -> Snapshot:
    """The first snapshot that shows it."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        snapshot = job.snapshot()
        if found(snapshot):
            return snapshot
        assert job.running, job.files.output_end() or snapshot
        time.sleep(0.1)
    raise AssertionError(f"nothing of that came: {job.snapshot()}")


def iteration(snapshot: Snapshot) -> int:
    return snapshot.latest.get("losses", {}).get("iteration", 0)


@pytest.mark.slow
@pytest.mark.bad_day("job-killed", "job-running")
def test_a_training_does_what_is_asked_is_found_again_and_dies_with_one_sentence(
    workspace: Workspace,
):
    job = Job.start(workspace.root, "train", CONFIG, where=WHERE)
    first = wait_for(job, lambda now: "picture" in now.latest and iteration(now))
    assert job.files.picture.read_bytes()[:2] == b"\xff\xd8"
    assert first.latest["phase"]["following"] == "lr_dropout"

    # Saved and previewed on request: neither is due by itself.
    for wish in (Wish.SAVE, Wish.PREVIEW):
        job.wish(wish)
    saved = wait_for(job, lambda now: "saved" in now.latest).latest["saved"]
    assert saved["proof"] == "saved on this machine"
    assert [c.iteration for c in list_checkpoints(workspace.model_dir("m"))] == [saved["iteration"]]
    assert len(list((workspace.history_dir / "m").glob("preview-*.jpg"))) == 1

    # Another process sees the same job, and nobody starts a second one.
    seen = subprocess.run(
        [sys.executable, "-c", ATTACH, str(workspace.root)], capture_output=True, text=True
    )
    assert json.loads(seen.stdout) == ["the training of m", job.pid, saved["iteration"]], (
        seen.stderr
    )
    with pytest.raises(JobError, match="The training of m is running"):
        Job.start(workspace.root, "train", CONFIG, where=WHERE)

    job.wish(Wish.NEXT_PHASE)
    wait_for(job, lambda now: now.latest["phase"]["phase"] == "lr_dropout")

    pid = job.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(JobError, match="go on from the last save"):
        asyncio.run(supervise(job, Silent(), where=WHERE))
    assert Job.running_in(workspace.root) is None


@pytest.mark.slow
def test_the_stop_button_saves_and_the_next_run_goes_on(workspace: Workspace):
    """Runs after the test above, whose last save it goes on from."""
    before = list_checkpoints(workspace.model_dir("m"))[-1].iteration

    def press() -> None:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            job = Job.running_in(workspace.root)
            if job is not None and iteration(job.snapshot()) > before:
                break
            time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    with pytest.raises(Interrupted, match="and saved"):
        asyncio.run(run_training_job(workspace, "train", CONFIG, where=WHERE))

    assert list_checkpoints(workspace.model_dir("m"))[-1].iteration > before


def test_sigterm_ends_a_job_with_its_own_sentence(workspace: Workspace):
    job = Job.start(workspace.root, "train", CONFIG, where=WHERE)
    wait_for(job, lambda now: "task" in now.latest)
    pid = job.pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)

    with pytest.raises(Interrupted, match="run the same command again"):
        asyncio.run(supervise(job, Silent(), where=WHERE))


class Silent:
    """A view that shows nothing."""

    def update(self, snapshot: Snapshot) -> None: ...

    def close(self, snapshot: Snapshot) -> None: ...


@pytest.mark.bad_day("job-crashed")
def test_a_crash_is_one_sentence_with_what_was_printed_last(tmp_path: Path):
    files = JobFiles(tmp_path)
    files.begin({"verb": "train", "config": {"model": "m"}})
    crash = "import os, sys; print('one'); sys.stdout.flush(); os.write(2, b'the last word\\n'); os._exit(7)"
    with files.output.open("ab") as output:
        child = subprocess.Popen([sys.executable, "-c", crash], stdout=output, stderr=output)
    child.wait()

    with pytest.raises(JobError, match=r"\(code 7: the last word\); run the cell again") as caught:
        Job(files, child).result()
    assert "one" in "".join(caught.value.__notes__)


def test_events_stay_few_and_none_is_read_twice(tmp_path: Path):
    log, reader = EventLog(tmp_path / "events.jsonl"), EventReader(tmp_path / "events.jsonl")
    seen: list[int] = []
    for number in range(6000):
        log.write("message", text=f"{number} {'x' * 100}")
        log.write("losses", iteration=number)
        if number % 500 == 0:
            seen += [event["n"] for event in reader.news()]
    seen += [event["n"] for event in reader.news()]

    assert (tmp_path / "events.jsonl").stat().st_size < 300_000  # 256 kB and the lines since
    assert seen == sorted(set(seen))
    latest = {event["kind"]: event for event in EventReader(tmp_path / "events.jsonl").news()}
    assert latest["losses"]["iteration"] == 5999
    assert latest["message"]["text"].startswith("5999")


def test_a_number_that_another_process_has_now_is_no_job(tmp_path: Path):
    files = JobFiles(tmp_path)
    files.begin({"verb": "train", "config": {"model": "m"}})
    files.note_process(os.getpid(), created=1.0)

    assert Job.running_in(tmp_path) is None


def test_buttons_are_shown_only_where_they_are_heard(monkeypatch: pytest.MonkeyPatch):
    colab, jupyter = (replace(WHERE, kernel_generation=generation) for generation in (6, 7))
    for module, heard in ((None, False), (SimpleNamespace(ui_events=None), True)):
        monkeypatch.setitem(sys.modules, "jupyter_ui_poll", module)
        assert hears_buttons(colab) is heard
        assert hears_buttons(jupyter)
    assert not hears_buttons(replace(WHERE, kernel_generation=None))
