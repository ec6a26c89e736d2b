"""The two kinds of machine on which a user opens the notebooks, each with a server of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.notebook_user import NotebookUser
from tests.browser.notebooks import Jupyter
from tests.browser.stacks import Server, colab_stack, lab_stack

TESTS = Path(__file__).parents[1]
NOTEBOOKS = TESTS.parent / "notebooks"
STAND_IN = TESTS / "notebooks" / "stand_in"

BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
"""The one thing that a notebook's page asks for elsewhere: the picture of its button."""

_OWN_BADGE = """<svg xmlns="http://www.w3.org/2000/svg" width="117" height="20">
<rect width="117" height="20" rx="3" fill="#555"/>
<text x="12" y="14" font-family="sans-serif" font-size="11" fill="#fff">Open in Colab</text></svg>"""


@dataclass(frozen=True)
class Place:
    """A machine with a page to work in.

    Attributes:
        jupyter: Opens notebooks there.
        hosted: It passes for hosted Colab; plain Jupyter otherwise.
        storage: Folder that outlives the machine: the user's "My Drive" there, a plain one here.
        folder: Where the notebooks lie, and the user's own files.
    """

    jupyter: Jupyter
    hosted: bool
    storage: Path
    folder: Path

    @property
    def storage_field(self) -> str:
        """What the form gets: hosted Colab knows its Drive."""
        return "" if self.hosted else str(self.storage)

    def refuse_next(self, call: str) -> None:
        """Let Google refuse the next `mount` or `flush`."""
        self.storage.parent.with_name(f"refuse-{call}").touch()

    @property
    def workspaces(self) -> Path:
        """Where workspaces are on this machine."""
        return self.folder / "workspaces"

    @contextmanager
    def open(self, name: str) -> Iterator[NotebookUser]:
        """Open one of the notebooks as they are shipped."""
        path = self.folder / f"{name}.ipynb"
        shutil.copy(NOTEBOOKS / path.name, path)
        with self.jupyter.open_file(path, {BADGE: _OWN_BADGE}) as book:
            yield NotebookUser(book)


@contextmanager
def running_place(name: str, browser: Browser, home: Path) -> Iterator[Place]:
    """Start one: `lab` is JupyterLab, `colab` hosted Colab with a stand-in for `google.colab`."""
    hosted = name == "colab"
    drive = home / "drive"
    storage = drive / "MyDrive" if hosted else home / "storage"
    storage.mkdir(parents=True)
    folder = home / "served" / "user"
    environment: dict[str, str] = {}
    if hosted:
        environment = {
            "PYTHONPATH": str(STAND_IN),
            "STAND_IN_DRIVE": str(drive),
            # In the place of /content.
            "DFLCOLAB_NOTEBOOK": json.dumps({"local_folder": str(folder / "workspaces")}),
        }
    server = Server(colab_stack() if hosted else lab_stack(), home, environment)
    folder.mkdir()
    try:
        yield Place(Jupyter(browser, server), hosted, storage, folder)
    finally:
        server.stop()
