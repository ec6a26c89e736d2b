"""Hostile and damaged files end in a value or one sentence; `make fuzz` does this at length."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CommandLine
from tests.crash.scenarios import FACES
from tests.fuzz.material import CANARY, Input
from tests.fuzz.pickles import Call, running_calls
from tests.fuzz.run import Tally as FileTally
from tests.fuzz.run import fuzz, judge, make_input, worker_in
from tests.fuzz.verbs import hostile_workspace, pictures
from tests.fuzz.worker import FORBIDDEN_EXIT

ROOT = Path(__file__).parents[2]
_READ_BY_PYTHON = "import pickle, sys; pickle.loads(sys.stdin.buffer.read())"
_READ_WATCHED = """
import pickle, sys
from tests.fuzz import worker
worker._armed = True
sys.addaudithook(worker._watch)
pickle.loads(sys.stdin.buffer.read())
"""


def test_files_of_every_kind_end_in_a_value_or_a_sentence(tmp_path: Path):
    tally = fuzz(tmp_path, seed=1, first=0, count=600, keep=tmp_path / "failed")

    assert not tally.failures, "\n".join(tally.failures)
    kinds = {kind.split()[0] for kind, _ in tally.outcomes}
    assert kinds >= {"jpg", "pickle", "pak", "npy", "meta.dat"}
    outcomes = {outcome for _, outcome in tally.outcomes}
    assert outcomes >= {"read", "refused as damaged", "refused as unsafe"}


def test_every_call_that_would_run_is_refused_as_unsafe_or_damaged(tmp_path: Path):
    tally, written = FileTally(), 0
    with worker_in(tmp_path) as worker:
        for number, call in enumerate(running_calls()):
            for protocol in range(6):
                try:
                    data = pickle.dumps(call, protocol)
                except Exception:  # noqa: BLE001
                    continue  # not every call can be written in every protocol
                written += 1
                judge(worker, Input("call", ".pickle", data), f"call {number}", tally)

    assert not tally.failures, "\n".join(tally.failures)
    assert written > 150
    assert ("call", "read") not in tally.outcomes


def test_the_payloads_do_run_where_python_reads_them(tmp_path: Path):
    """Or else that nothing ran would say nothing."""
    data = pickle.dumps(Call(os.system, f"touch {CANARY}"))

    subprocess.run([sys.executable, "-c", _READ_BY_PYTHON], input=data, cwd=tmp_path, check=True)

    assert (tmp_path / CANARY).exists()


@pytest.mark.parametrize(
    "call",
    [Call(os.system, f"touch {CANARY}"), Call(open, CANARY, "w"), Call(eval, "1"),
     Call(__import__, "antigravity")],
)  # fmt: skip
def test_the_watch_ends_a_process_that_does_what_is_forbidden(call: Call, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", _READ_WATCHED],
        input=pickle.dumps(call),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
    )

    assert done.returncode == FORBIDDEN_EXIT
    assert b"forbidden" in done.stderr
    assert not (tmp_path / CANARY).exists()


def test_a_seed_gives_the_same_inputs_again():
    assert [make_input(5, n) for n in range(20)] == [make_input(5, n) for n in range(20)]
    assert make_input(5, 1) != make_input(6, 1)


def test_verbs_on_hostile_facesets_fail_in_one_sentence_and_lose_nothing():
    """In a process of its own: forks must come before OpenCV's threads."""
    words = [sys.executable, "-m", "tests.fuzz", "--inputs", "1", "--seed", "11", "--workspaces",
             "1", "--hostile", "30", "--packs", "5", "--no-networks"]  # fmt: skip

    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_training_goes_on_without_the_hostile_faces(cli: CommandLine, tmp_path: Path):
    root = tmp_path / "w"
    hostile_workspace(root, seed=2, hostile=40)
    shutil.copytree(FACES, root / "data_dst" / "aligned")
    for path in (root / "data_src" / "aligned").glob("5*.jpg"):
        if b"mark_only" in path.read_bytes():  # no model takes these: refused, as it should be
            path.unlink()
    before = pictures(root)

    report = cli.report("train", "-w", root, "--model", "a", "--preset", "tiny",
                        "--set", "face_type=half_face", "--target-iter", 1)  # fmt: skip

    assert report["iteration"] == 1
    assert pictures(root) >= before
