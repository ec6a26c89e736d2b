"""The browser of the tests, and a watch over what its pages do."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Route,
    expect,
    sync_playwright,
)

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A name that is looked up would leave the machine before a request is seen.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
VIEWPORT = {"width": 1280, "height": 900}
PATIENCE_MS = 120_000
"""How long a test waits for what it wants to see. Nearly all comes in a second; a machine of two cores
under other work has taken a minute for JupyterLab's page."""

CLOSE_S = 30.0
"""How long closing may take; it takes a part of a second."""

_NOT_KNOWN_YET = "Comm promise not found for comm id"
"""Notebook 6 says so of a widget that changes while a page that was loaded anew still asks which there are."""

NO_PICTURES: Mapping[str, str] = {}

expect.set_options(timeout=PATIENCE_MS)


def chromium() -> str:
    """Path of a Chromium; the test is skipped where there is none, but never in CI."""
    for name in NAMES:
        path = shutil.which(name)
        if path is not None:
            return path
    sentence = "no Chromium is installed; on Debian: apt-get install chromium fonts-dejavu-core"
    if os.environ.get("CI"):
        pytest.fail(sentence)
    pytest.skip(sentence)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A headless Chromium for the length of the block."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=ARGUMENTS)
        try:
            yield browser
        finally:
            with _in_time():
                browser.close()


def new_context(browser: Browser) -> BrowserContext:
    """A user's browser without any memory of pages."""
    return browser.new_context(viewport=VIEWPORT)  # pyright: ignore[reportArgumentType]


@contextmanager
def watched_page(
    browser: Browser | BrowserContext, pictures: Mapping[str, str] = NO_PICTURES
) -> Iterator[Page]:
    """A page of its own; what went wrong in it fails the test at the end of the block.

    Args:
        browser: The browser; or a context of it, whose pages keep what they have loaded for one another.
        pictures: Addresses elsewhere that the page may ask for, and the SVG that it gets instead.
    """
    own = new_context(browser) if isinstance(browser, Browser) else None
    page = (own or browser).new_page()
    page.set_default_timeout(PATIENCE_MS)
    wrong: list[str] = []
    page.on("console", lambda message: wrong.extend(_said(message)))
    page.on("pageerror", lambda error: wrong.append(f"uncaught: {error.stack or error}"))
    for address, svg in pictures.items():
        page.route(address, _giving(svg))
    page.on("request", lambda request: wrong.extend(_left(request.url, pictures)))
    page.on("websocket", lambda socket: wrong.extend(_left(socket.url, pictures)))
    try:
        yield page
    except BaseException as error:
        error.add_note("\n".join(["In the page:", *wrong]) if wrong else "No errors in the page.")
        raise
    finally:
        with _in_time():
            page.close() if own is None else own.close()
    assert not wrong, "\n".join(wrong)


@contextmanager
def _in_time() -> Iterator[None]:
    """Around what waits for the browser to close; one that does not is ended, and the waiting with it."""
    timer = threading.Timer(CLOSE_S, _end_browsers)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _end_browsers() -> None:
    """End the browsers that this process started."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if process.name() in NAMES or process.name() == "chrome":
                process.kill()


def _said(message: ConsoleMessage) -> list[str]:
    if message.type != "error" or message.text.startswith(_NOT_KNOWN_YET):
        return []
    return [f"console error: {message.text} ({message.location.get('url', '')})"]


def _giving(svg: str) -> Callable[[Route], None]:
    def give(route: Route) -> None:
        route.fulfill(body=svg, content_type="image/svg+xml")

    return give


def _left(url: str, pictures: Mapping[str, str]) -> list[str]:
    parts = urlsplit(url)
    if (
        url in pictures
        or parts.scheme in ("data", "blob", "about")
        or parts.hostname == "127.0.0.1"
    ):
        return []
    return [f"a request left this machine: {url[:200]}"]
