"""Bringing a finished file to the user: where its copy lies, and a download of a small one."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dflcolab.runtime.show import show_text
from dflcolab.runtime.where import Place, Where
from dflcolab.words import as_size

MAX_DOWNLOAD_BYTES = 100_000_000
"""Colab's download and JupyterLab's link pass the whole file through the browser's memory."""


def show_where(path: Path, copy: Path | None) -> None:
    """Name the file here, and its copy on the storage.

    Args:
        path: The file on this machine.
        copy: The same on the storage; None without.
    """
    lines = [f"Your video is {path} ({as_size(path.stat().st_size)})."]
    if copy is not None and "MyDrive" in copy.parts:
        inside = "/".join(copy.parts[copy.parts.index("MyDrive") + 1 :])
        lines.append(
            f"Its copy: My Drive/{inside}, at drive.google.com as soon as it is uploaded; the cell "
            "“Finish” waits for that."
        )
    elif copy is not None:
        lines.append(f"Its copy: {copy}.")
    show_text("\n".join(lines))


def download(
    path: Path, where: Where, *, load: Callable[[str], Any] = importlib.import_module
) -> None:
    """Give a file to the user's browser, if it is small enough to pass through it.

    Args:
        path: The file.
        where: Kind of place. In Colab the browser starts the download when the cell has ended; elsewhere
            a link appears.
        load: Imports `google.colab.files`; tests give a stand-in.
    """
    if path.stat().st_size > MAX_DOWNLOAD_BYTES:
        show_text(
            f"{path.name} is too large to pass through the browser; take it from the place above."
        )
    elif where.place in (Place.COLAB_HOSTED, Place.COLAB_LOCAL):
        load("google.colab.files").download(str(path))
    else:
        _show_link(path)


def _show_link(path: Path) -> None:
    """A link, which Jupyter serves for files below the notebook's folder only."""
    from IPython.display import FileLink, display

    try:
        below = path.resolve().relative_to(Path.cwd().resolve())
    except ValueError:
        show_text(
            f"{path.name} lies outside of this notebook's folder; take it from the place above."
        )
        return
    display(FileLink(str(below), result_html_prefix="Download: "))
