# pyright: strict
"""Facesets of several people: one sub-folder of `aligned` per person."""

from __future__ import annotations

import os
from pathlib import Path

from dflcolab.files import list_files
from dflcolab.formats.dfl_jpeg import SUFFIXES


def person_folders(folder: Path) -> list[Path]:
    """Sub-folders that hold face files, sorted by name; hidden ones are nobody's.

    In DeepFaceLab a person's name is the name of such a folder.
    """
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = [
            entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")
        ]
    return [folder / name for name in sorted(names) if list_files(folder / name, SUFFIXES)]


def people_alone(folder: Path) -> list[Path]:
    """The people's folders of a faceset that has no faces beside them; else none."""
    return [] if list_files(folder, SUFFIXES) else person_folders(folder)
