"""The finished file reaches the user: its copy is named, a small one goes to the browser."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dflcolab.runtime import bring, show
from tests.runtime.runtimes import COLAB, JUPYTER


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Everything that would appear in the page."""
    found: list[Any] = []
    monkeypatch.setattr(show, "show", found.append)
    monkeypatch.setattr("IPython.display.display", found.append)
    return found


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "work" / "result.mp4"
    path.parent.mkdir()
    path.write_bytes(b"video" * 30_000)
    return path


def test_the_copy_on_drive_is_named_as_drive_shows_it(video: Path, shown: list[str]):
    bring.show_where(video, Path("/content/drive/MyDrive/DFL/dflcolab/mine/files/result.mp4"))

    assert "My Drive/DFL/dflcolab/mine/files/result.mp4, at drive.google.com as soon as" in shown[0]
    assert "(0.1 MB)" in shown[0]


def test_a_copy_in_a_folder_and_none_at_all(video: Path, shown: list[str]):
    bring.show_where(video, Path("/disk/dflcolab/mine/files/result.mp4"))
    bring.show_where(video, None)

    assert "Its copy: /disk/dflcolab/mine/files/result.mp4." in shown[0]
    assert "Its copy" not in shown[1]


def test_colab_hands_the_file_to_the_browser(video: Path, shown: list[str]):
    handed: list[str] = []
    files = SimpleNamespace(download=handed.append)

    bring.download(video, COLAB.where, load=lambda name: {"google.colab.files": files}[name])

    assert handed == [str(video)]


def test_jupyter_gets_a_link_below_its_own_folder_only(
    video: Path, shown: list[Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(video.parents[1])
    bring.download(video, JUPYTER.where)
    assert "href='work/result.mp4'" in shown[0]._repr_html_()

    (video.parents[1] / "elsewhere").mkdir()
    monkeypatch.chdir(video.parents[1] / "elsewhere")
    bring.download(video, JUPYTER.where)
    assert "outside of this notebook" in shown[1]


def test_a_large_file_does_not_pass_through_the_browser(
    video: Path, shown: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bring, "MAX_DOWNLOAD_BYTES", 1000)

    bring.download(video, COLAB.where, load=lambda _: pytest.fail("it was handed over"))

    assert "too large" in shown[0]
