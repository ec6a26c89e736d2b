"""Disk, memory, packages, card and Google Drive on a bad day."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dflcolab.cli import main as command_line
from dflcolab.cli.commands import Command
from dflcolab.config import Config
from dflcolab.errors import DFLColabError
from dflcolab.files import write_bytes
from dflcolab.progress import Progress
from dflcolab.runtime.advice import runtime_advice
from tests.runtime.test_advice import CASES
from tests.troubleshooting.said import said

bad_day = pytest.mark.bad_day


@dataclass(frozen=True, kw_only=True)
class NoOptions(Config):
    """A verb without options."""


def command(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, verb: Callable[[Progress], object]
) -> int:
    """Exit code of a command that does what `verb` does; its words count as said."""

    class Stand(Command):
        def load_function(self) -> Any:
            return lambda config, *, progress: verb(progress)

        def load_config(self) -> type[Config]:
            return NoOptions

    stand = Stand("A verb.", "", "", takes="nothing")
    monkeypatch.setitem(command_line.COMMANDS, "demo", stand)
    code = command_line.main(["demo"])
    for line in capsys.readouterr().err.splitlines():
        said(line)
    return code


def fill_memory(progress: Progress) -> object:
    return np.empty(1 << 60, np.uint8)


def read_nothing(progress: Progress) -> object:
    return Path("there-is-no-such-file").read_bytes()


def read_a_folder(progress: Progress) -> object:
    return Path().read_bytes()


def make_a_folder_in_a_file(progress: Progress) -> object:
    return Path("/dev/null/folder").mkdir(parents=True)


def read_what_cannot_be_read(progress: Progress) -> object:
    raise OSError(errno.EINVAL, "Invalid argument", "face.jpg")


def make_a_mistake(progress: Progress) -> object:
    return {}["key"]


def import_what_is_missing(progress: Progress) -> object:
    import library_that_nobody_has  # pyright: ignore[reportMissingImports]

    return library_that_nobody_has


def import_a_missing_part(progress: Progress) -> object:
    import dflcolab.part_that_was_cut_off  # pyright: ignore[reportMissingImports]

    return dflcolab.part_that_was_cut_off


def import_opencv_without_a_screen(progress: Progress) -> object:
    raise ImportError("libGL.so.1: cannot open shared object file", name="cv2")


def write_on_a_full_disk(progress: Progress) -> object:
    return Path("/dev/full").write_bytes(b"face")


@pytest.mark.parametrize(
    "verb",
    [
        pytest.param(fill_memory, marks=bad_day("memory-used-up")),
        pytest.param(read_nothing, marks=bad_day("path-missing")),
        pytest.param(read_a_folder, marks=bad_day("file-or-folder")),
        pytest.param(make_a_folder_in_a_file, marks=bad_day("file-or-folder")),
        pytest.param(read_what_cannot_be_read, marks=bad_day("disk-error")),
        pytest.param(make_a_mistake, marks=bad_day("bug")),
        pytest.param(import_what_is_missing, marks=bad_day("library-broken")),
        pytest.param(import_a_missing_part, marks=bad_day("package-broken")),
        pytest.param(import_opencv_without_a_screen, marks=bad_day("opencv-broken")),
        pytest.param(write_on_a_full_disk, marks=bad_day("disk-full")),
    ],
    ids=lambda verb: verb.__name__,
)
def test_a_command_that_fails_ends_with_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verb: Any
):
    assert command(monkeypatch, capsys, verb) == 1


@bad_day("stopping", "stopped")
def test_a_signal_ends_a_command_at_its_next_safe_point(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def verb(progress: Progress) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        progress.raise_if_stopped()

    assert command(monkeypatch, capsys, verb) == 130


@bad_day("stopped-at-once")
def test_a_second_signal_ends_it_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def verb(progress: Progress) -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)

    assert command(monkeypatch, capsys, verb) == 130


@bad_day("not-writable")
def test_a_disk_that_may_not_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_fails(monkeypatch, errno.EROFS)
    with pytest.raises(DFLColabError):
        write_bytes(tmp_path / "file", b"face")


@bad_day("disk-gone")
def test_a_disk_that_broke_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_fails(monkeypatch, errno.ENOTCONN)
    with pytest.raises(DFLColabError):
        write_bytes(tmp_path / "file", b"face")


def write_fails(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Files cannot be flushed to the disk any more: the system answers with `number`."""

    def fsync(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param("no GPU on Colab", marks=bad_day("no-gpu")),
        pytest.param("Maxwell", marks=bad_day("gpu-old")),
        pytest.param("Blackwell, TensorFlow 2.20", marks=bad_day("gpu-new")),
        pytest.param("Blackwell, TensorFlow 2.21", marks=bad_day("gpu-newer-than-xla")),
        pytest.param("numpy replaced in a notebook", marks=bad_day("numpy-replaced")),
        pytest.param("two builds of OpenCV", marks=bad_day("two-opencvs")),
        pytest.param("old protobuf", marks=bad_day("package-conflict")),
        pytest.param("Keras 2", marks=bad_day("keras-2")),
        pytest.param("Python too old", marks=bad_day("python-version")),
        pytest.param("little disk", marks=bad_day("disk-small")),
        pytest.param("little memory", marks=bad_day("memory-small")),
    ],
)
def test_doctor_names_what_is_wrong_with_the_machine(case: str):
    for sentence in runtime_advice(CASES[case][0]):
        said(sentence)
