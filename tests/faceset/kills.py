"""Folders as a kill leaves them."""

from __future__ import annotations

import json
from pathlib import Path

from dflcolab.faceset.renaming import JOURNAL_NAME, STAGING_NAME


def killed_sort(folder: Path) -> None:
    """Leave a faceset as a sort does that is killed when all files wait in the staging folder."""
    names = {path.name: f"{i:05d}.jpg" for i, path in enumerate(sorted(folder.glob("*.jpg")))}
    staging = folder / STAGING_NAME
    staging.mkdir()
    for old, new in names.items():
        (folder / old).rename(staging / new)
    journal = {"version": 1, "phase": 2, "names": names}
    (folder / JOURNAL_NAME).write_text(json.dumps(journal))
