"""Downloads against a real server that cuts, stalls, changes its mind and lies."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import sys
import time
from collections import namedtuple

import pytest

from dflcolab.errors import DFLColabError, DownloadError, Interrupted, StorageError
from dflcolab.transfer.cache import safe_name
from dflcolab.transfer.content import ARCHIVES, QUOTA, Expected
from dflcolab.transfer.download import download
from dflcolab.transfer.links import LinkKind, is_link, parse_link
from tests.stopping import StopAfter
from tests.transfer.server import Server

BYTES = random.Random(1).randbytes(3_000_000)
SHA = hashlib.sha256(BYTES).hexdigest()


def ranges(server: Server) -> list[str]:
    return [headers.get("Range", "") for _, headers in server.script.seen]


@pytest.fixture
def get(server, tmp_path, hasty):
    server.script.content = BYTES

    def get(path: str = "file.bin", **more):
        cache = more.pop("cache", tmp_path / "cache")
        link = parse_link(server.url(path))
        return download(link, cache=cache, patience=hasty, **more)

    return get


def test_cuts_are_gone_on_with_where_they_happened(get, server):
    server.script.faults = ["cut:1200000", "503", "cut:900000"]

    found = get()

    assert found.path.read_bytes() == BYTES
    assert (found.sha256, found.cached, found.path.name) == (SHA, False, "file.bin")
    assert ranges(server) == ["", "bytes=1200000-", "bytes=1200000-", "bytes=2100000-"]
    assert server.script.sent == len(BYTES)  # no byte came twice


def test_a_server_without_ranges_is_read_from_the_start(get, server):
    server.script.ranges = False
    server.script.faults = ["cut:1200000"]

    assert get().path.read_bytes() == BYTES


def test_without_a_mark_of_the_content_nothing_is_added_to_a_part(get, server):
    server.script.etag = ""
    server.script.faults = ["cut:1200000"]

    assert get().path.read_bytes() == BYTES
    assert ranges(server) == ["", ""]


@pytest.mark.bad_day("download-stopped")
def test_a_file_that_changed_in_between_is_never_mixed(get, server):
    with pytest.raises(Interrupted):
        get(progress=StopAfter(1, title="Fetching"))
    server.script.content = other = random.Random(2).randbytes(2_500_000)

    assert get().path.read_bytes() == other


def test_a_server_that_gives_parts_of_another_file_is_not_believed(get, server):
    with pytest.raises(Interrupted):
        get(progress=StopAfter(1, title="Fetching"))
    server.script.content = other = random.Random(3).randbytes(3_000_000)
    server.script.stubborn = True

    assert get().path.read_bytes() == other
    assert [bool(text) for text in ranges(server)] == [False, True, False]


def test_an_interrupt_keeps_the_part_and_the_next_call_goes_on(get, server):
    with pytest.raises(Interrupted, match="kept"):
        get(progress=StopAfter(1, title="Fetching"))

    assert get().sha256 == SHA
    assert int(ranges(server)[-1].removeprefix("bytes=").rstrip("-")) >= 1 << 20


def test_a_stalled_server_is_given_up_and_asked_again(get, server):
    server.script.faults = ["stall"]

    assert get().sha256 == SHA


@pytest.mark.bad_day("download-offline")
def test_one_sentence_after_the_last_try(get, server):
    server.script.faults = ["503"] * 9

    with pytest.raises(DownloadError, match=r"answers 503.*run again"):
        get()
    assert len(server.script.seen) == 4


def test_retry_after_is_obeyed(get, server):
    server.script.faults = ["503:1"]
    start = time.monotonic()

    assert get().sha256 == SHA
    assert time.monotonic() - start >= 1.0


@pytest.mark.bad_day("download-unencrypted-redirect")
def test_redirects_are_followed_but_not_out_of_the_web(get, server):
    server.script.faults = ["redirect"]
    assert get().path.name == "here.bin"

    server.script.faults = ["redirect"]
    server.script.redirect_to = "ftp://127.0.0.1/file"
    with pytest.raises(DownloadError, match="not encrypted"):
        get("other.bin")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("404", "does not exist"),
        ("403:no", "share it"),
        ("403:<html>Quota exceeded</html>", "Google limits this file for now"),
        ("410", "does not exist"),
        ("418", "answer 418"),
    ],
)
def test_refusals_are_said_at_once(get, server, fault, words):
    server.script.faults = [fault] * 4

    with pytest.raises(DownloadError, match=words):
        get()
    assert len(server.script.seen) == 1


def test_nobody_there(hasty, tmp_path):
    with pytest.raises(DownloadError, match=r"refuses the connection.*run again"):
        download(parse_link("http://127.0.0.1:9/x.zip"), cache=tmp_path, patience=hasty)


def test_a_pinned_file_comes_once_and_is_asked_for_no_more(get, server):
    path = f"file.bin#sha256={SHA.upper()}"
    first, second = get(path), get(path)

    assert (first.cached, second.cached) == (False, True)
    assert first.path == second.path
    assert len(server.script.seen) == 1


@pytest.mark.bad_day("download-hash")
def test_a_wrong_hash_is_refused_and_the_file_forgotten(get, server, tmp_path):
    with pytest.raises(DownloadError, match=f"{SHA} and not the pinned 0000"):
        get("file.bin#sha256=" + "0" * 64)
    assert not list(tmp_path.glob("cache/*/part"))
    assert not list(tmp_path.glob("cache/*/file/*"))


def test_a_damaged_file_in_the_cache_is_fetched_anew(get):
    path = f"file.bin#sha256={SHA}"
    found = get(path).path
    found.write_bytes(BYTES[:-1] + b"?")

    assert get(path).path.read_bytes() == BYTES


def test_an_unpinned_file_is_asked_after(get, server):
    get()
    assert get().cached
    assert server.script.sent == len(BYTES)
    server.script.content = b"newer" * 1000

    found = get()

    assert (found.cached, found.path.read_bytes()) == (False, b"newer" * 1000)
    assert len(list(found.path.parent.iterdir())) == 1


@pytest.mark.bad_day("download-server-error")
def test_the_cached_file_serves_when_the_server_is_away(get, server):
    get()
    server.script.faults = ["503"]
    progress = StopAfter()

    assert get(progress=progress).cached
    assert any("does not answer" in text for text in progress.messages)


@pytest.mark.bad_day("download-web-page", "download-other-kind")
def test_a_web_page_is_no_archive_and_is_not_gone_on_with(get, server, tmp_path):
    expected = Expected(kinds=ARCHIVES, what="an archive")
    server.script.content = b"<!DOCTYPE html><html><title>Sign in</title></html>"
    with pytest.raises(DownloadError, match="is a web page and not an archive"):
        get(expected=expected)
    server.script.content = b"<html>Too many users have viewed or downloaded this file</html>"
    with pytest.raises(DownloadError, match=QUOTA[:30]):
        get(expected=expected)
    server.script.content = b"\x89PNG\r\n\x1a\n" + b"x" * 100
    with pytest.raises(DownloadError, match="is a picture and not an archive"):
        get("faces.zip", expected=expected)
    assert not list(tmp_path.glob("cache/*/part"))


@pytest.mark.bad_day("download-too-small", "download-too-large")
def test_sizes_are_checked_before_and_during(get, server, tmp_path):
    with pytest.raises(DownloadError, match="more than"):
        get(expected=Expected(largest=1_000_000))
    assert not list(tmp_path.glob("cache/*/part"))

    server.script.length = False
    with pytest.raises(DownloadError, match="more than"):
        get("unsaid.bin", expected=Expected(largest=1_000_000))

    server.script.content, server.script.length = b"tiny", True
    with pytest.raises(DownloadError, match="only 4 bytes"):
        get("tiny.bin", expected=Expected(smallest=100))


@pytest.mark.bad_day("no-room", "download-disk-full")
def test_a_full_disk_is_seen_before_the_first_byte(get, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 1000))

    with pytest.raises(StorageError, match="too full"):
        get()
    assert not list(tmp_path.glob("cache/*/part"))


def test_two_processes_fetch_the_same_once(server, tmp_path):
    server.script.content = BYTES
    server.script.delay_s = 0.01  # half a second in all: long enough to meet
    program = (
        "import sys; from pathlib import Path; from dflcolab.transfer.download import download;"
        "from dflcolab.transfer.links import parse_link;"
        "print(download(parse_link(sys.argv[1]), cache=Path(sys.argv[2])).sha256)"
    )
    words = [sys.executable, "-c", program, server.url(), str(tmp_path)]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]

    assert [process.communicate(timeout=30)[0].strip() for process in both] == [SHA, SHA]
    assert server.script.sent == len(BYTES)


@pytest.mark.parametrize(
    ("text", "kind", "address"),
    [
        ("https://drive.google.com/file/d/1AbCdEfGhIjKlMnOpQrStUvWxYz012345/view?usp=sharing",
         LinkKind.DRIVE_FILE, "1AbCdEfGhIjKlMnOpQrStUvWxYz012345"),
        ("https://drive.google.com/open?id=1AbCdEfGhIjKlMnOpQrStUvWxYz012345",
         LinkKind.DRIVE_FILE, "1AbCdEfGhIjKlMnOpQrStUvWxYz012345"),
        ("https://drive.google.com/uc?export=download&id=1AbCdEfGhIjKlMnOpQrStUvWxYz012345",
         LinkKind.DRIVE_FILE, "1AbCdEfGhIjKlMnOpQrStUvWxYz012345"),
        ("https://drive.google.com/drive/u/0/folders/1AbCdEfGhIjKlMnOpQrStUvWxYz012345?usp=x",
         LinkKind.DRIVE_FOLDER, "1AbCdEfGhIjKlMnOpQrStUvWxYz012345"),
        ("1AbCdEfGhIjKlMnOpQrStUvWxYz012345", LinkKind.DRIVE_FILE,
         "1AbCdEfGhIjKlMnOpQrStUvWxYz012345"),
        ("https://a.example/x.zip?key=s", LinkKind.WEB, "https://a.example/x.zip?key=s"),
    ],
)  # fmt: skip
def test_links(text, kind, address):
    link = parse_link(text)

    assert is_link(text)
    assert (link.kind, link.address) == (kind, address)
    assert "key=s" not in link.shown


def test_a_link_is_shown_with_its_port_and_without_its_password():
    link = parse_link("https://anna:secret@a.example:8443/x.zip?key=s")

    assert link.shown == "https://a.example:8443/x.zip"


@pytest.mark.parametrize(
    "text",
    ["http://a.example/x.zip", "ftp://a.example/x", "file:///etc/passwd", "https://", "x y",
     "https://drive.google.com/drive/my-drive", "https://a.example/#sha256=12", "https://[::1"],
)  # fmt: skip
def test_what_is_no_link_is_refused_in_one_sentence(text):
    with pytest.raises(DFLColabError) as caught:
        parse_link(text)
    assert "\n" not in str(caught.value)


def test_names_from_servers_are_tamed(get, server):
    server.script.name = "../../evil\\x.bin"
    assert get().path.name == "x.bin"
    assert safe_name("..") == "download"
    assert safe_name("/") == "download"
    assert safe_name("a" * 300 + ".zip").endswith("a.zip")
    assert len(safe_name("ä" * 300 + ".zip").encode()) <= 120


def test_a_page_is_known_by_its_content_whatever_its_name(tmp_path):
    path = tmp_path / "faces.zip"
    path.write_bytes(b"  \n<HTML><body>")

    with pytest.raises(DownloadError, match="a web page"):
        Expected().check(path, "it")
