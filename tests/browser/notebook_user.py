"""A user of a notebook that is open in the browser: fills in forms, runs cells, leaves and comes back.

Every gesture is one of mouse or keyboard on the page; clicks are counted by the page itself.
"""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import FloatRect, Locator, Page

from tests.browser.chrome import VIEWPORT
from tests.browser.notebooks import OpenNotebook

SHOTS = "DFLCOLAB_SCREENSHOTS"
"""Environment variable: a folder for pictures of the pages, for the documentation."""

_QUALITY = 70
_COUNT = "window.addEventListener('pointerdown', (e) => e.isTrusted && window.dflClicked(), true)"
"""Not `click`: JupyterLab's menus are gone before one reaches the page."""


class NotebookUser:
    """What a person does in one notebook.

    Args:
        book: The open notebook.

    Attributes:
        page: Playwright's page.
        clicks: Clicks of the mouse so far.
    """

    def __init__(self, book: OpenNotebook) -> None:
        self.book = book
        self.page: Page = book.page
        self.clicks = 0
        self._began = time.monotonic()
        self.page.expose_function("dflClicked", self._clicked)
        self.page.add_init_script(_COUNT)
        self.page.evaluate(_COUNT)

    def seconds(self) -> float:
        """Since the notebook was open."""
        return time.monotonic() - self._began

    def cell(self, title: str) -> Locator:
        """The cell with this title."""
        kind = ".code_cell" if self.book.classic else ".jp-CodeCell"
        return self.page.locator(kind).filter(has_text=re.compile(rf"#@title \d+ · {title} "))

    def output(self, title: str) -> Locator:
        """What is shown below a cell."""
        inside = ".output_wrapper" if self.book.classic else ".jp-Cell-outputWrapper"
        return self.cell(title).locator(inside)

    def fill(self, title: str, **fields: str | float) -> None:
        """Type values into the form of a cell; in Jupyter a form is lines of text."""
        for name, value in fields.items():
            kind = ".CodeMirror-line" if self.book.classic else ".cm-line"
            start = re.compile(rf"^{name} = ")
            line = self.cell(title).locator(kind).filter(has_text=start)
            rest = line.inner_text().partition(" #@param ")[2]
            written = json.dumps(value) if isinstance(value, str) else repr(value)
            line.click()
            self.page.keyboard.press("Home")
            self.page.keyboard.press("Shift+End")
            self.page.keyboard.insert_text(f"{name} = {written} #@param {rest}".rstrip())

    def start(self, title: str) -> None:
        """Press what runs a cell."""
        cell = self.cell(title)
        cell.scroll_into_view_if_needed()
        if self.book.classic:
            cell.locator(".input_prompt").click()
            self.page.locator("button[data-jupyter-action='jupyter-notebook:run-cell-and-select-next']").click()  # fmt: skip
        else:
            cell.locator(".jp-InputPrompt").first.click()
            self.page.locator("[data-jp-item-name='run'] jp-button").click()

    def run(self, title: str, *, fails: bool = False) -> str:
        """Run a cell, wait for its end, and read what is below it."""
        failed_before = len(self.book.failures())
        self.start(title)
        self.book.wait_until_idle()
        text = self.output(title).inner_text()
        failed = len(self.book.failures()) > failed_before
        assert failed == fails, text
        return text

    def press(self, where: Locator, name: str) -> None:
        """Press a button of the monitor."""
        where.locator(f"button.dfl-{name}, .dfl-{name} button").click()

    def run_all_by_menu(self) -> None:
        """Run → Run All Cells, or Cell → Run All."""
        if self.book.classic:
            self.page.get_by_text("Cell", exact=True).click()
            self.page.locator("#run_all_cells").click()
        else:
            self.page.locator(".lm-MenuBar-item").filter(has_text=re.compile("^Run$")).click()
            self.page.locator(".lm-Menu").get_by_text("Run All Cells", exact=True).click()

    def outputs(self, title: str) -> list[dict[str, Any]]:
        """The cell's outputs as the notebook file would hold them."""
        return self.page.evaluate(_OUTPUTS[self.book.classic], title)

    def size_of_output(self, title: str) -> tuple[int, int]:
        """Bytes of the cell's outputs in the notebook file, and elements that draw them."""
        n_bytes = len(json.dumps(self.outputs(title)))
        return n_bytes, self.output(title).locator("*").count()

    def picture(self, name: str, shown: Locator | None = None, *, alone: bool = False) -> None:
        """Keep a picture of the page down to the end of `shown`, or of that `alone`, if somebody wants them.

        See `SHOTS`.
        """
        if not self.takes_pictures:
            return
        stack = "colab" if self.book.classic else "lab"
        path = Path(os.environ[SHOTS]) / f"page_{name}_{stack}.jpg"
        if shown is not None and alone:
            shown.screenshot(path=path, type="jpeg", quality=_QUALITY)
            return
        height = float(VIEWPORT["height"])
        if shown is not None:
            shown.evaluate("(part) => part.scrollIntoView()")
            box = shown.bounding_box()
            assert box is not None
            height = min(height, box["y"] + box["height"])
        clip = FloatRect(x=0, y=0, width=VIEWPORT["width"], height=height)
        self.page.screenshot(path=path, type="jpeg", quality=_QUALITY, clip=clip)

    @property
    def takes_pictures(self) -> bool:
        """True if somebody wants pictures of the pages (see `SHOTS`)."""
        return bool(os.environ.get(SHOTS))

    def _clicked(self) -> None:
        self.clicks += 1


_OUTPUTS = {
    True: """(title) => Jupyter.notebook.get_cells()
      .find((cell) => cell.get_text().includes(`· ${title} `)).output_area.toJSON()""",
    False: """(title) => jupyterapp.shell.currentWidget.content.widgets
      .find((cell) => cell.model.sharedModel.getSource().includes(`· ${title} `))
      .model.sharedModel.toJSON().outputs""",
}
