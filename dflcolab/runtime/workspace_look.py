# pyright: strict
"""What is in a workspace, and how far it is copied, in a few rows for a page."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from dflcolab.errors import DFLColabError, Interrupted
from dflcolab.files import list_files
from dflcolab.formats.faceset_pak import PAK_NAME, PakReader
from dflcolab.pipeline.model import ModelList, model
from dflcolab.progress import Progress
from dflcolab.runtime.job import Job
from dflcolab.runtime.storage import Storage
from dflcolab.training.config import ModelConfig
from dflcolab.words import as_size, counted
from dflcolab.workspace.workspace import Side, Workspace

NO_STORAGE = "No storage is connected: everything is on this machine only."


@dataclass(frozen=True)
class WorkspaceLook:
    """A workspace as it is now.

    Attributes:
        rows: What is looked at, and what is to be said of it.
        is_copied: False while something is not on the storage.
    """

    rows: tuple[tuple[str, str], ...]
    is_copied: bool

    def text(self) -> str:
        """One line a row."""
        return "\n".join(f"{name}: {said}" for name, said in self.rows)


def look_at(
    workspace: Workspace, storage: Storage | None, progress: Progress | None = None
) -> WorkspaceLook:
    """Look at a workspace and at its newest copy; nothing is changed.

    Args:
        workspace: On this machine.
        storage: Where its copies are; None without.
        progress: Shows how far files are compared.

    Raises:
        Interrupted: The user asked to stop.
    """
    rows = [("Folder", f"{workspace.root} ({_room(workspace.root)})")]
    running = Job.running_in(workspace.root)
    if running is not None:
        rows.append(("Running", f"{running.title()}."))
    rows += [(f"{side.value} faces", _faces(workspace, side)) for side in Side]
    rows.append(("Models", _models(workspace)))
    result = workspace.result_path()
    if result.exists():
        rows.append(("Video", f"{result.name}, {as_size(result.stat().st_size)}"))
    if storage is None:
        return WorkspaceLook((*rows, ("Copies", NO_STORAGE)), is_copied=False)
    try:
        copies, left = storage.copies_of(workspace, progress or Progress())
    except Interrupted:
        raise
    except DFLColabError as error:
        copies, left = str(error), "not known"
    is_copied = not left
    rows += [("Last copy", copies), ("Not copied yet", left or "nothing")]
    return WorkspaceLook(tuple(rows), is_copied=is_copied)


def _faces(workspace: Workspace, side: Side) -> str:
    folder = workspace.aligned_dir(side)
    trash = len(_jpegs(workspace.trash_dir(side)))
    in_trash = f"; {trash} in the trash" if trash else ""
    try:
        if (folder / PAK_NAME).exists():
            with PakReader(folder / PAK_NAME) as reader:
                return f"{counted(len(reader), 'face')}, packed, {_taken(folder)}{in_trash}"
    except DFLColabError as error:
        return str(error)
    found = len(_jpegs(folder)) + sum(len(_jpegs(below)) for below in _folders(folder))
    return (f"{counted(found, 'face')}, {_taken(folder)}" if found else "none yet") + in_trash


def _models(workspace: Workspace) -> str:
    found = model(workspace, ModelConfig(action="list"))
    assert isinstance(found, ModelList)
    lines = [
        f"{line}, {_taken(workspace.model_dir(entry['name']))}"
        for entry, line in zip(found.models, found.lines(), strict=True)
    ]
    return "; ".join(lines) or "none yet"


def _jpegs(folder: Path) -> list[Path]:
    return list_files(folder, (".jpg", ".jpeg")) if folder.is_dir() else []


def _folders(folder: Path) -> list[Path]:
    """Of people, directly below a folder."""
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def _room(root: Path) -> str:
    """What a folder takes and what its disk has left."""
    return f"{_taken(root)}; {as_size(shutil.disk_usage(root).free)} free on this disk"


def _taken(folder: Path) -> str:
    """Size of all files below a folder."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).lstat().st_size
            except OSError:  # a step that runs has just removed it
                continue
    return as_size(total)
