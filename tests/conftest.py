"""Material that several tests share: the shipped clips, and workspaces made from them once."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tests.troubleshooting.page import row_named
from tests.troubleshooting.said import listening

# Quiet and reproducible TensorFlow, also in the processes that tests start.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session", autouse=True)
def _own_configuration(tmp_path_factory: pytest.TempPathFactory):
    """Certificates are made in a folder of the tests' own: the user's are left alone."""
    before = os.environ.get("XDG_CONFIG_HOME")
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("configuration"))
    yield
    if before is None:
        del os.environ["XDG_CONFIG_HOME"]
    else:
        os.environ["XDG_CONFIG_HOME"] = before


class CommandLine:
    """Runs `dflcolab` as a user would, in a process of its own."""

    def __call__(self, *words: object, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "dflcolab", *map(str, words)],
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def report(self, *words: object, timeout: float = 600) -> dict[str, Any]:
        """The report of a command that must succeed."""
        done = self(*words, "--json", timeout=timeout)
        assert done.returncode == 0, f"{words} failed:\n{done.stderr}"
        return json.loads(done.stdout)

    def refusal(self, *words: object, timeout: float = 600) -> str:
        """The one sentence of a command that must refuse."""
        done = self(*words, "--quiet", timeout=timeout)
        assert done.returncode == 1, f"exit {done.returncode}:\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        assert "unexpected failure" not in done.stderr
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        assert len(lines) == 1, done.stderr
        return lines[0]


@pytest.fixture(scope="session")
def cli() -> CommandLine:
    return CommandLine()


@pytest.fixture(scope="session")
def clips() -> dict[str, Path]:
    """The two shipped clips: `src` (472 frames) and `dst` (72 frames, with sound)."""
    folder = Path(str(files("dflcolab") / "assets" / "demo"))
    return {"src": folder / "studio_woman.mp4", "dst": folder / "webcam_man.mp4"}


@pytest.fixture(scope="session")
def _faces_once(tmp_path_factory: pytest.TempPathFactory, cli: CommandLine, clips) -> Path:
    root = tmp_path_factory.mktemp("faces") / "workspace"
    cli.report("init", "-w", root, "--src", clips["src"], "--dst", clips["dst"],
               "--src-rights", "licensed", "--dst-rights", "licensed")  # fmt: skip
    cli.report("extract", "-w", root, "--side", "src", "--fps", 3, "--size", 256)
    cli.report("extract", "-w", root, "--side", "dst", "--size", 256)
    return root


@pytest.fixture(scope="session")
def _trained_once(tmp_path_factory: pytest.TempPathFactory, cli: CommandLine, _faces_once) -> Path:
    root = tmp_path_factory.mktemp("trained") / "workspace"
    shutil.copytree(_faces_once, root)
    cli.report("train", "-w", root, "--model", "tiny", "--preset", "tiny", "--target-iter", 6)
    return root


def _copies(original: Path, tmp_path: Path) -> Callable[[], Path]:
    def copy() -> Path:
        root = tmp_path / "workspace"
        shutil.copytree(original, root)
        return root

    return copy


@pytest.fixture
def face_workspace(_faces_once: Path, tmp_path: Path) -> Path:
    """A workspace of one's own with faces of both sides (src thinned to 3 frames a second)."""
    return _copies(_faces_once, tmp_path)()


@pytest.fixture
def trained_workspace(_trained_once: Path, tmp_path: Path) -> Path:
    """`face_workspace` with a model `tiny` trained for a few iterations."""
    return _copies(_trained_once, tmp_path)()


def pytest_collection_finish():
    """What is loaded by now stays: whoever collects rubbish later need not search a million objects."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item):
    """A test marked `bad_day("row", …)` shows the messages of these rows of docs/troubleshooting.md."""
    names = [name for mark in item.iter_markers("bad_day") for name in mark.args]
    if not names:
        return (yield)
    with listening() as heard:
        result = yield
        texts = heard.texts()
    for name in names:
        assert any(map(row_named(name).tells, texts)), f"{name} was not said, but {texts}"
    return result


@pytest.fixture(scope="module")
def steps_again() -> Iterator[None]:
    """Trainings of a module share compiled steps; see `tests.training.steps_again`."""
    from tests.training.steps_again import steps_taken_over

    with steps_taken_over():
        yield
