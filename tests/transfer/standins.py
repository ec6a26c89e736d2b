"""Packages named `gdown` with exactly the signatures of versions 5.2 and 6.5, doing as they are told.

What they do stands in `orders.json` beside them: `file` or `folder` to the name of a behaviour.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

V5 = """
def download(
    url=None, output=None, quiet=False, proxy=None, speed=None, use_cookies=True, verify=True,
    id=None, fuzzy=False, resume=False, format=None, user_agent=None, log_messages=None,
):
    assert fuzzy
    return _download(url, id, output, quiet, resume)

def download_folder(
    url=None, id=None, output=None, quiet=False, proxy=None, speed=None, use_cookies=True,
    remaining_ok=False, verify=True, user_agent=None, skip_download: bool = False, resume=False,
):
    assert not remaining_ok  # it would leave files out without a word
    return _folder(id, skip_download)
"""

V6 = """
def download(
    url: str | None = None, output=None, quiet: bool = False, proxy: str | None = None,
    speed: float | None = None, use_cookies: bool = True, verify: bool | str = True,
    id: str | None = None, resume: bool = False, format: str | None = None,
    user_agent: str | None = None, log_messages=None, progress=None, skip_download: bool = False,
    cookies_file: str | None = None, hasher=None, timeout=None, retries: int = 0, cancel=None,
):
    assert timeout and retries
    return _download(url, id, output, quiet, resume)

def download_folder(
    url: str | None = None, id: str | None = None, output: str | None = None, quiet: bool = False,
    proxy: str | None = None, speed: float | None = None, use_cookies: bool = True,
    verify: bool | str = True, user_agent: str | None = None, skip_download: bool = False,
    resume: bool = False, cookies_file: str | None = None, timeout=None, retries: int = 0,
):
    return _folder(id, skip_download)
"""

_BEHAVIOUR = """
import json, os, time
from collections import namedtuple
from pathlib import Path

VERSION = {version}
ORDERS = json.loads((Path(__file__).parent / "orders.json").read_text())
Item = namedtuple("Item", "id path local_path")

class DownloadError(Exception): pass
class FileURLRetrievalError(Exception if VERSION == 5 else DownloadError): pass
class FolderContentsMaximumLimitError(Exception): pass

def _download(url, id, output, quiet, resume):
    assert quiet and resume and output.endswith(os.sep) and bool(url) != bool(id)
    print("chatter on standard output")
    order = ORDERS.get(id, ORDERS["file"])
    if order == "quota":
        raise FileURLRetrievalError(
            "Failed to retrieve file url: Too many users have viewed or downloaded this file recently."
        )
    if order == "private":
        raise FileURLRetrievalError(
            "Cannot retrieve the public link of the file. You may need to change the permission to "
            "'Anyone with the link', or have had many accesses."
        )
    if order == "broken":
        if VERSION == 5:
            return None
        raise DownloadError("the response body ended early")
    if order == "network":
        raise ConnectionError("Max retries exceeded: Name or service not known")
    part = Path(output, "faces.zipabc.part")
    with part.open("ab") as stream:
        stream.write(b"P" * (2 << 20))
        stream.flush()
        if order == "stall":
            time.sleep(60)
    data = Path(order).read_bytes() if order.startswith("/") else order.encode()
    part.unlink()
    path = Path(output, "faces.zip")
    path.write_bytes(data)
    return str(path)

def _folder(id, skip_download):
    assert id and skip_download
    order = ORDERS["folder"]
    if order == "many":
        if VERSION == 5:
            raise FolderContentsMaximumLimitError("The gdrive folder contains more than 50 files")
        raise DownloadError("cannot list")
    if order == "private":
        return None
    return [Item(i, p, "x/" + p) for i, p in order]
"""


def install(
    version: int, folder: Path, monkeypatch: pytest.MonkeyPatch, orders: dict[str, object]
) -> None:
    """Let `import gdown` in new processes find the stand-in."""
    package = folder / f"v{version}" / "gdown"
    package.mkdir(parents=True, exist_ok=True)
    text = _BEHAVIOUR.replace("{version}", str(version)) + (V5 if version == 5 else V6)
    (package / "__init__.py").write_text(text)
    (package / "orders.json").write_text(json.dumps(orders))
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
