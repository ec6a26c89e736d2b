"""Google Drive's links through gdown 5 and 6: stand-ins with their signatures, and the real one."""

from __future__ import annotations

import importlib.metadata
import inspect
import time
import zipfile

import pytest

from dflcolab.errors import DownloadError, Interrupted, UnsafeFileError
from dflcolab.transfer.content import ARCHIVES, QUOTA, Expected
from dflcolab.transfer.download import download
from dflcolab.transfer.gdown_call import fetch_file
from dflcolab.transfer.https import Patience
from dflcolab.transfer.links import parse_link
from tests.stopping import StopAfter
from tests.transfer import standins

FILE = "https://drive.google.com/file/d/1AbCdEfGhIjKlMnOpQrStUvWxYz012345/view"
FOLDER = "https://drive.google.com/drive/folders/1AbCdEfGhIjKlMnOpQrStUvWxYz012345"
ARCHIVE = Expected(kinds=ARCHIVES, what="an archive")


@pytest.fixture(params=[5, 6])
def drive(request, tmp_path, monkeypatch):
    def drive(link: str = FILE, *, expected: Expected = ARCHIVE, patience=None, **orders):
        standins.install(request.param, tmp_path, monkeypatch, orders)
        return download(
            parse_link(link), expected=expected, cache=tmp_path / "cache", patience=patience
        )

    drive.version = request.param
    return drive


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "made.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("data_src/aligned/1.jpg", b"face")
    return path


def test_a_file_comes_whole_and_is_kept(drive, archive):
    first = drive(file=str(archive))
    second = drive(file="private")

    assert first.path.name == "faces.zip"
    assert first.path.read_bytes() == archive.read_bytes()
    assert second.cached


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("quota", QUOTA[:30]),
        ("private", "share it with 'Anyone with the link'"),
        ("<html>Quota exceeded for this file</html>", QUOTA[:30]),
        ("<!doctype html><title>Drive</title>", "is a web page and not an archive"),
    ],
)
def test_what_google_says_instead_of_the_file(drive, order, words):
    with pytest.raises(DownloadError, match=words) as caught:
        drive(file=order)
    assert "\n" not in str(caught.value)


@pytest.mark.bad_day("gdown-offline")
def test_failures_without_and_with_an_exception(drive):
    words = "share it" if drive.version == 5 else "ended early"
    with pytest.raises(DownloadError, match=words):
        drive(file="broken")
    with pytest.raises(DownloadError, match="check the network"):
        drive(file="network")


def test_folders(drive, archive):
    files = [["1" * 28, "data_src/aligned/1.jpg"], ["2" * 28, "data_dst.mp4"]]
    found = drive(FOLDER, folder=files, file="picture")

    assert (found.path / "data_src/aligned/1.jpg").read_text() == "picture"
    assert (found.path / "data_dst.mp4").read_text() == "picture"
    assert not found.cached
    assert drive(FOLDER, folder=files, file="private").cached  # only what is missing is fetched


@pytest.mark.parametrize("path", ["../evil", "/etc/passwd", "C:\\x", "a/../../b"])
def test_a_folder_cannot_lead_out(drive, path, tmp_path):
    with pytest.raises(UnsafeFileError):
        drive(FOLDER, folder=[["1" * 28, path]], file="picture")
    assert not (tmp_path / "cache" / "evil").exists()


@pytest.mark.bad_day("gdown-folder-private", "gdown-folder-empty")
def test_a_folder_that_cannot_be_listed_is_never_taken_in_part(drive):
    with pytest.raises(DownloadError, match="50 files" if drive.version == 5 else "cannot list"):
        drive(FOLDER, folder="many", file="picture")
    with pytest.raises(DownloadError, match="not shared"):
        drive(FOLDER, folder="private", file="picture")
    with pytest.raises(DownloadError, match="no files"):
        drive(FOLDER, folder=[], file="picture")


@pytest.mark.bad_day("gdown-stalled")
def test_a_silent_drive_is_given_up_and_its_process_ended(drive):
    start = time.monotonic()
    with pytest.raises(DownloadError, match="Nothing comes"):
        drive(file="stall", patience=Patience(timeout_s=0.4, tries=2))
    assert time.monotonic() - start < 20


def test_a_stop_keeps_the_part(tmp_path, monkeypatch):
    standins.install(5, tmp_path, monkeypatch, {"file": "stall"})

    with pytest.raises(Interrupted, match="kept"):
        fetch_file(tmp_path / "work", file_id="x", shown="it", patience=Patience(),
                   progress=StopAfter(1))  # fmt: skip
    assert [path.stat().st_size for path in (tmp_path / "work").glob("*.part")] == [2 << 20]


def test_the_installed_gdown_fetches_from_a_real_server(server, tmp_path):
    server.script.content = bytes(range(256)) * 8000

    path = fetch_file(tmp_path / "work", url=server.url("faces.bin"), shown="it",
                      patience=Patience(timeout_s=5), progress=StopAfter())  # fmt: skip

    assert path.name == "faces.bin"
    assert path.read_bytes() == server.script.content
    if importlib.metadata.version("gdown").startswith("6."):  # 5 takes the page for the file
        server.script.faults = ["404"] * 9
        with pytest.raises(DownloadError, match="cannot be fetched"):
            fetch_file(tmp_path / "other", url=server.url("gone.bin"), shown="it",
                       patience=Patience(timeout_s=5), progress=StopAfter())  # fmt: skip


def test_the_standin_takes_what_the_installed_gdown_takes():
    version = importlib.metadata.version("gdown")
    if not version.startswith("6.5."):
        pytest.skip(f"the stand-in has the signatures of gdown 6.5, and {version} is installed")
    import gdown

    standin: dict = {}
    exec(standins.V6, standin)
    for name in ("download", "download_folder"):
        real = inspect.signature(getattr(gdown, name)).parameters
        assert list(inspect.signature(standin[name]).parameters) == list(real)
