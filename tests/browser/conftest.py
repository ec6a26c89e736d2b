"""The fixtures of the browser tests; how to use them is written in `tests/browser/__init__.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.chrome import running_browser, watched_page
from tests.browser.notebooks import Jupyter
from tests.browser.stacks import Server, colab_stack, lab_stack
from tests.browser.widget_page import WidgetPage

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives a browser."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as started:
        yield started


@pytest.fixture
def widget_page(browser: Browser) -> Iterator[Callable[..., WidgetPage]]:
    """`widget_page(WIDGET)`, or `widget_page(esm=TEXT, css=TEXT, state={…})`: a drawn widget."""
    with ExitStack() as pages:

        def show(
            widget: Any = None, *, esm: str = "", css: str = "", state: dict[str, Any] | None = None
        ) -> WidgetPage:
            shown = WidgetPage(pages.enter_context(watched_page(browser)))
            if widget is None:
                shown.draw(esm, css, state or {})
            else:
                shown.draw_widget(widget)
            return shown

        yield show


@pytest.fixture(scope="session")
def _servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """One server of each kind, started when first asked for."""
    started: dict[str, Server] = {}
    stacks = {"lab": lab_stack, "colab": colab_stack}

    def server(name: str) -> Server:
        if name not in started:
            started[name] = Server(stacks[name](), tmp_path_factory.mktemp(name))
        return started[name]

    yield server
    for one in started.values():
        one.stop()


@pytest.fixture(scope="module", params=["lab", "colab"])
def jupyter(
    request: pytest.FixtureRequest, browser: Browser, _servers: Callable[[str], Server]
) -> Jupyter:
    """Opens notebooks: once in JupyterLab with ipywidgets 8, once in a stack like Colab's."""
    return Jupyter(browser, _servers(request.param))
