"""Downloads and archives on a bad day."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from dflcolab.errors import DFLColabError
from dflcolab.media.certificate import make_identity
from dflcolab.pipeline.fetch import faceset_path
from dflcolab.transfer.archive import unpack
from dflcolab.transfer.cache import Entry
from dflcolab.transfer.content import ARCHIVES, Expected, kind_of
from dflcolab.transfer.download import Download, download
from dflcolab.transfer.https import Patience
from dflcolab.transfer.links import parse_link
from tests.transfer import standins
from tests.transfer.conftest import server  # noqa: F401
from tests.transfer.hostile import Item, zip_of
from tests.transfer.server import Server
from tests.transfer.test_gdown import FILE, FOLDER
from tests.troubleshooting.said import HeardProgress

bad_day = pytest.mark.bad_day

HASTY = Patience(timeout_s=1.0, tries=2, pause_s=0.01)
PATIENT = Patience(timeout_s=20.0, tries=2, pause_s=0.01)


def fetch(
    link: str, cache: Path, expected: Expected | None = None, patience: Patience = HASTY
) -> Download:
    return download(
        parse_link(link),
        expected=expected,
        cache=cache,
        patience=patience,
        progress=HeardProgress(),
    )


def refused(
    link: str, cache: Path, expected: Expected | None = None, patience: Patience = HASTY
) -> None:
    with pytest.raises(DFLColabError):
        fetch(link, cache, expected, patience)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("404", marks=bad_day("download-gone")),
        pytest.param("403:no", marks=bad_day("download-private")),
        pytest.param("418", marks=bad_day("download-refused")),
        pytest.param("403:<html>Quota exceeded</html>", marks=bad_day("drive-quota")),
    ],
)
def test_a_server_that_refuses(server: Server, tmp_path: Path, fault: str):  # noqa: F811
    server.script.faults = [fault]
    refused(server.url(), tmp_path)


@pytest.mark.parametrize(
    "link",
    [
        pytest.param("http://a.example/x.zip", marks=bad_day("download-unencrypted")),
        pytest.param("ftp://a.example/x.zip", marks=bad_day("download-no-address")),
        pytest.param("https://a.example/#sha256=12", marks=bad_day("download-hash-malformed")),
        pytest.param(
            "https://drive.google.com/drive/my-drive", marks=bad_day("download-no-drive-file")
        ),
    ],
)
def test_a_link_that_is_none(tmp_path: Path, link: str):
    refused(link, tmp_path)


@contextmanager
def answering(
    answer: Callable[[BaseHTTPRequestHandler], None], certificate: Path | None = None
) -> Iterator[str]:
    """The address of a server, encrypted if it has a certificate."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(HTTPServer):
        def handle_error(self, *_: object) -> None:
            pass

    served = Quiet(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        served.socket = context.wrap_socket(served.socket, server_side=True)
    threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True).start()
    scheme = "http" if certificate is None else "https"
    try:
        yield f"{scheme}://127.0.0.1:{served.server_address[1]}/x.zip"
    finally:
        served.shutdown()
        served.server_close()


@bad_day("download-packed")
def test_a_server_that_packs_what_it_sends(tmp_path: Path):
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Encoding", "gzip")
        request.send_header("Content-Length", "0")
        request.end_headers()

    with answering(answer) as address:
        refused(address, tmp_path)


@bad_day("download-certificate")
def test_a_server_that_nobody_vouches_for(tmp_path: Path):
    identity = make_identity()
    certificate = tmp_path / "server.pem"
    certificate.write_bytes(identity.key + identity.chain)

    with answering(lambda request: request.send_error(404), certificate) as address:
        refused(address, tmp_path)


@bad_day("download-waiting")
def test_two_at_once_wait_for_each_other(server: Server, tmp_path: Path):  # noqa: F811
    server.script.content = bytes(1000)
    link = parse_link(server.url())
    progress = HeardProgress()
    fetching = threading.Thread(
        target=lambda: download(link, cache=tmp_path, patience=HASTY, progress=progress)
    )
    with Entry(tmp_path / link.key).alone("it", progress):
        fetching.start()
        time.sleep(0.3)
    fetching.join(20)
    assert not fetching.is_alive()


@bad_day("download-old-one-used")
def test_the_server_is_away_and_the_file_is_there(server: Server, tmp_path: Path):  # noqa: F811
    server.script.content = bytes(1000)
    address = server.url()
    fetch(address, tmp_path)
    server.script.faults = ["503"] * 9

    assert fetch(address, tmp_path).cached


@bad_day("download-nothing-in-it")
def test_an_archive_without_faces(server: Server, tmp_path: Path):  # noqa: F811
    server.script.content = zip_of(Item("readme.txt"))
    server.script.name = "faces.zip"
    with pytest.raises(DFLColabError):
        faceset_path(server.url(), HeardProgress(), cache=tmp_path)


def gdown(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    """New processes find a package `gdown` of these lines."""
    package = folder / "packages" / "gdown"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param("raise ImportError('No module named bs4')", marks=bad_day("gdown-missing")),
        pytest.param("import os; os._exit(1)", marks=bad_day("gdown-silent")),
        pytest.param(
            "def download(**options): raise KeyError('a new page of Google')",
            marks=bad_day("gdown-failed"),
        ),
    ],
)
def test_a_gdown_that_does_not_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str):
    gdown(monkeypatch, tmp_path, lines)
    refused(FILE, tmp_path, patience=PATIENT)


@bad_day("gdown-folder-large")
def test_an_old_gdown_and_a_large_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    standins.install(5, tmp_path, monkeypatch, {"folder": "many"})
    refused(FOLDER, tmp_path, patience=PATIENT)


@bad_day("gdown-refused")
def test_a_file_of_drive_that_is_not_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    standins.install(6, tmp_path, monkeypatch, {"file": "private"})
    refused(FILE, tmp_path, Expected(kinds=ARCHIVES), PATIENT)


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(Item("new\nline"), marks=bad_day("archive-no-name")),
        pytest.param(Item("x" * 300), marks=bad_day("archive-long-name")),
    ],
)
def test_an_archive_with_a_name_that_nobody_can_use(tmp_path: Path, item: Any):
    archive = tmp_path / "w.zip"
    archive.write_bytes(zip_of(item))
    with pytest.raises(DFLColabError):
        unpack(archive, tmp_path / "out")


@bad_day("archive-method")
def test_a_zip_of_a_rare_kind(tmp_path: Path):
    data = bytearray(zip_of(Item("a.jpg", b"face" * 100)))
    # The method stands at byte 8 of the entry and at byte 10 of its line in the directory.
    data[8] = 97
    data[data.index(b"PK\x01\x02") + 10] = 97
    archive = tmp_path / "w.zip"
    archive.write_bytes(data)
    with pytest.raises(DFLColabError):
        unpack(archive, tmp_path / "out")


@bad_day("archive-unreadable")
def test_an_archive_that_is_not_there(tmp_path: Path):
    with pytest.raises(DFLColabError):
        kind_of(tmp_path / "w.zip")
