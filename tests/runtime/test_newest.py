"""The question for a newer version never blocks and never fails."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dflcolab.runtime.newest import NewestVersion


@contextmanager
def index(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A package index on this machine; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/pypi/dflcolab/json"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def saying(body: bytes, status: int = 200) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def page(version: object, **more: object) -> bytes:
    return json.dumps({"info": {"name": "dflcolab", "version": version, **more}}).encode()


def test_a_newer_version_is_told():
    with index(saying(page("0.10.0"))) as url:
        newest = NewestVersion(url)

        assert newest.newer_than("0.9.0") == "0.10.0"
        assert newest.newer_than("0.10.0") is None
        assert newest.newer_than("1.0.dev1") is None


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    "answer",
    [
        saying(page("9.0", yanked=True)),
        saying(page("9.0rc1")),
        saying(page("no version")),
        saying(page(None)),
        saying(b"<html>Not found</html>"),
        saying(b'{"info": [1, 2]}'),
        saying(b"[" * 100_000),
        saying(b"\xff\xfe\x00"),
        saying(b""),
        saying(page("9.0"), status=404),
        saying(page("9.0"), status=500),
        lambda request: request.wfile.write(b"not HTTP at all\r\n\r\n"),
        lambda request: request.connection.close(),
    ],
)
def test_any_other_answer_is_no_answer(answer: Callable[[BaseHTTPRequestHandler], None]):
    with index(answer) as url:
        assert NewestVersion(url).newer_than("0.1.0") is None


def test_nobody_there_is_no_answer():
    with index(saying(b"")) as url:
        pass

    assert NewestVersion(url).newer_than("0.1.0") is None


@pytest.mark.parametrize("drips", [False, True], ids=["silent", "dripping"])
def test_a_server_that_hangs_is_not_waited_for(drips: bool):
    done = threading.Event()

    def hang(request: BaseHTTPRequestHandler) -> None:
        if drips:  # each byte comes in time, all of them never
            request.send_response(200)
            request.end_headers()
        while not done.wait(0.05):
            if drips:
                request.wfile.write(b" ")

    with index(hang) as url:
        began = time.monotonic()
        assert NewestVersion(url, limit_s=0.3).newer_than("0.1.0") is None
        waited = time.monotonic() - began
        done.set()
    # The limit, and what a loaded machine needs to wake up.
    assert waited < 2.0
