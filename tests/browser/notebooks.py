"""A notebook that is open in the browser, in either generation of Jupyter."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Browser, Page

from tests.browser.chrome import NO_PICTURES, new_context, watched_page
from tests.browser.stacks import Server

_RUN_MS = 300_000
_KERNEL = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"
_LAB_CONNECTED = f"() => {_KERNEL}?.connectionStatus === 'connected'"
_LAB_READY = f"() => {_KERNEL}?.connectionStatus === 'connected' && {_KERNEL}.status === 'idle'"

_INTERRUPT = {
    True: "button[data-jupyter-action='jupyter-notebook:interrupt-kernel']",
    False: "[data-jp-item-name='interrupt'] jp-button",
}


class OpenNotebook:
    """A notebook in a page.

    Attributes:
        page: Playwright's page.
        folder: The kernel's working directory.
        classic: Whether this is the classic page with ipywidgets 7; JupyterLab with 8 otherwise.
    """

    def __init__(self, page: Page, server: Server, path: Path) -> None:
        self.page = page
        self.folder = path.parent
        self.classic = server.stack.classic
        self._name = path.relative_to(server.folder).as_posix()
        self._url = server.url
        self._show()

    def run_all(self, *, wait: bool = True) -> None:
        """Run all cells; `wait` until the last has ended, and refuse a cell that failed."""
        if self.classic:
            self.page.evaluate("Jupyter.notebook.execute_all_cells()")
        else:
            self.page.evaluate("() => void jupyterapp.commands.execute('notebook:run-all-cells')")
        if wait:
            self.wait_until_idle()
            assert not self.failures(), self.failures()

    def wait_until_idle(self, *, timeout_ms: float = _RUN_MS) -> None:
        """Wait until every cell that was started has ended."""
        if self.classic:
            self.page.wait_for_function(
                "!document.querySelector('.code_cell.running') && !Jupyter.notebook.kernel_busy",
                timeout=timeout_ms,
            )
        else:
            self.page.wait_for_function(
                "![...document.querySelectorAll('.jp-InputArea-prompt')]"
                ".some((prompt) => prompt.textContent.includes('*'))",
                timeout=timeout_ms,
            )

    def failures(self) -> list[str]:
        """Texts of tracebacks below the cells."""
        kind = (
            ".output_error" if self.classic else "[data-mime-type='application/vnd.jupyter.error']"
        )
        return self.page.locator(kind).all_inner_texts()

    def interrupt(self) -> None:
        """Press the stop button of the page, which interrupts the running cell."""
        self.page.locator(_INTERRUPT[self.classic]).click()

    def restart_kernel(self) -> None:
        """A new kernel in the place of the old one, as from the menu; cells and outputs stay."""
        self._ask("POST", f"/api/kernels/{self._session()['kernel']['id']}/restart")

    def save(self) -> None:
        """Write the notebook with its outputs, as a user does before leaving."""
        if self.classic:
            self.page.evaluate("() => Jupyter.notebook.save_notebook()")
        else:
            self.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")

    def reload(self, *, busy: bool = False) -> None:
        """Leave the page and open it again; the kernel goes on, and is not waited for if it is `busy`."""
        self.page.goto("about:blank")
        self._show(busy=busy)

    def shut_down(self) -> None:
        """End the notebook's kernel."""
        self._ask("DELETE", f"/api/sessions/{self._session()['id']}")

    def _show(self, *, busy: bool = False) -> None:
        if self.classic:
            self.page.goto(f"{self._url}/notebooks/{self._name}")
            self.page.wait_for_function(
                "window.Jupyter?.notebook?.kernel?.is_connected() && Jupyter.notebook._fully_loaded"
                " && Jupyter.notebook.kernel.widget_manager",
            )
            # ipywidgets 7 asks the kernel for its widgets and then draws all cells anew, also those
            # that ran meanwhile; asking again ends after that.
            self.page.evaluate("() => Jupyter.notebook.kernel.widget_manager._loadFromKernel()")
        else:
            self.page.goto(f"{self._url}/lab/tree/{self._name}?reset")
            self.page.wait_for_selector(".jp-Notebook .jp-Cell")
            self.page.wait_for_function(_LAB_CONNECTED if busy else _LAB_READY)

    def _session(self) -> dict[str, Any]:
        for session in self._ask("GET", "/api/sessions"):
            if session["path"] == self._name:
                return session
        raise LookupError(f"{self._name} has no kernel")

    def _ask(self, method: str, path: str) -> Any:
        request = urllib.request.Request(self._url + path, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            data = answer.read()
        return json.loads(data) if data else None


class Jupyter:
    """What the fixture `jupyter` gives: opens notebooks on one server."""

    def __init__(self, browser: Browser, server: Server) -> None:
        self.classic = server.stack.classic
        # One for all notebooks: to load Jupyter's own scripts takes longer than many a test.
        self._context = new_context(browser)
        self._server = server

    @contextmanager
    def open(self, name: str, cells: Sequence[str]) -> Iterator[OpenNotebook]:
        """Write a notebook of code cells in a folder `name` of its own, and open it.

        Its kernel ends with the block.
        """
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(text) for text in cells],
            metadata={"kernelspec": kernel},
        )
        path = self.folder(name) / "notebook.ipynb"
        nbformat.write(notebook, path)
        with self.open_file(path) as opened:
            yield opened

    def folder(self, name: str) -> Path:
        """A new folder that the server serves."""
        folder = self._server.folder / f"{name}-{len(list(self._server.folder.iterdir()))}"
        folder.mkdir()
        return folder

    @contextmanager
    def open_file(
        self, path: Path, pictures: Mapping[str, str] = NO_PICTURES
    ) -> Iterator[OpenNotebook]:
        """Open a notebook that lies in such a folder; its kernel ends with the block.

        Args:
            path: Its file.
            pictures: See `watched_page`.
        """
        with watched_page(self._context, pictures) as page:
            opened = OpenNotebook(page, self._server, path)
            try:
                yield opened
            finally:
                page.goto("about:blank")  # before it misses its kernel
                opened.shut_down()
