"""A real web server on this machine that serves one file, and misbehaves as it is told."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Script:
    """What the server does, request for request.

    Attributes:
        content: The file.
        ranges: Whether parts may be asked for.
        stubborn: Parts are given even if the file is another one than asked for.
        etag: Its mark; None: made of the content; "": none is sent.
        faults: What happens to the next requests: "cut:N" sends N bytes and hangs up, "503",
            "503:S" the same with Retry-After, "403:page", "404", "stall" never answers, "redirect".
        length: Whether the size is stated.
        name: Stated by Content-Disposition, if not empty.
    """

    content: bytes = b""
    ranges: bool = True
    stubborn: bool = False
    etag: str | None = None
    faults: list[str] = field(default_factory=list)
    length: bool = True
    name: str = ""
    delay_s: float = 0.0
    redirect_to: str = ""
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    sent: int = 0

    @property
    def mark(self) -> str:
        return f'"{hashlib.md5(self.content).hexdigest()}"' if self.etag is None else self.etag


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        script = self.server.script
        with self.server.lock:
            script.seen.append((self.path, dict(self.headers)))
            fault = script.faults.pop(0) if script.faults else ""
        kind, _, detail = fault.partition(":")
        if kind == "stall":
            self.server.release.wait(20)
            return
        if kind == "redirect":
            self.send_response(302)
            self.send_header("Location", script.redirect_to or self.server.url("moved/here.bin"))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if kind.isdigit():
            page = detail.encode() if kind == "403" else b"<html>error</html>"
            self.send_response(int(kind))
            if kind == "503" and detail:
                self.send_header("Retry-After", detail)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)
            return
        self._send(script, int(detail) if kind == "cut" else None)

    def _send(self, script: Script, cut: int | None) -> None:
        if script.mark and self.headers.get("If-None-Match") == script.mark:
            self.send_response(304)
            self.end_headers()
            return
        start, body = 0, script.content
        wanted = self.headers.get("Range", "")
        same = script.stubborn or self.headers.get("If-Range") in (None, script.mark)
        if script.ranges and wanted and same:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            body = body[start:]
        else:
            self.send_response(200)
        if script.mark:
            self.send_header("ETag", script.mark)
        if script.name:
            self.send_header("Content-Disposition", f'attachment; filename="{script.name}"')
        if script.length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        body = body if cut is None else body[:cut]
        for at in range(0, len(body), 64 << 10):
            self.wfile.write(body[at : at + (64 << 10)])
            script.sent += len(body[at : at + (64 << 10)])
            if script.delay_s:
                time.sleep(script.delay_s)
        self.close_connection = True


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.lock = threading.Lock()
        self.release = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def handle_error(self, *_: object) -> None:
        pass  # clients hang up on purpose

    def url(self, path: str = "file.bin") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"

    def close(self) -> None:
        self.release.set()
        self.shutdown()
        self.server_close()
        self._thread.join()
