# pyright: strict
"""What the cells about faces have done in a workspace already: "Run all" does not do it again.

Sorting, cleaning and judging take minutes where there are thousands of faces, and a second cleaning would throw
out what was brought back by hand. The notes lie in the workspace's history and travel with the copies.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import dflcolab
from dflcolab.faceset.face_files import FACE_SUFFIXES
from dflcolab.files import list_files, read_facts, write_text
from dflcolab.workspace.trash import Trash
from dflcolab.workspace.workspace import Side, Workspace


class FacesDone:
    """The notes of a workspace. One that is lost or damaged costs a step that is done once more.

    Args:
        workspace: Whose faces.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._path: Path = workspace.history_dir / "faces_done.json"

    def is_sorted(self, side: Side, by: str) -> bool:
        """True if the faces of a side stand in this order: since it was made, faces went at most."""
        known = self._known(f"sort {side.value}")
        before = known.get("faces")
        return (
            known.get("by") == by
            and isinstance(before, dict)
            and self._faces(side).items() <= before.items()
        )

    def note_sorted(self, side: Side, by: str) -> None:
        """Note the order that the faces of a side have now."""
        self._note(f"sort {side.value}", {"by": by, "faces": self._faces(side)})

    def is_cleaned(self, side: Side, person: str) -> bool:
        """True if a side was cleaned with this person to keep, and no faces have come since.

        What was moved to the trash or brought back by hand since is a decision, and nothing new.
        """
        return self._known(f"clean {side.value}") == {"person": person, "faces": self._n_ever(side)}

    def note_cleaned(self, side: Side, person: str) -> None:
        """Note that a side is clean."""
        self._note(f"clean {side.value}", {"person": person, "faces": self._n_ever(side)})

    def forget_cleaned(self, side: Side) -> None:
        """Note that a cleaning was taken back."""
        self._note(f"clean {side.value}", {})

    def is_reported(self) -> bool:
        """True if the report was made of the faces and packs that are there, by this version."""
        return self._known("report") == self._listed()

    def note_reported(self) -> None:
        """Note that the report on the faces was made."""
        self._note("report", self._listed())

    def _listed(self) -> dict[str, Any]:
        """What the report looks at, in short."""
        root, folders = self._workspace.root, map(self._workspace.aligned_dir, Side)
        files = [path for folder in folders for path in folder.rglob("*.*") if path.is_file()]
        listed = sorted((one.relative_to(root).as_posix(), one.stat().st_size) for one in files)
        text = json.dumps([dflcolab.__version__, listed])
        return {"of": hashlib.sha256(text.encode()).hexdigest()}

    def _n_ever(self, side: Side) -> int:
        """Faces of a side and of its trash, less those that stand twice since they were corrected."""
        trashed = Trash.of(self._workspace, side).entries()
        return len(self._faces(side)) + sum(not entry.is_replaced for entry in trashed)

    def _faces(self, side: Side) -> dict[str, int]:
        """Names and sizes: names alone are the same in every order."""
        folder = self._workspace.aligned_dir(side)
        return {path.name: path.stat().st_size for path in list_files(folder, FACE_SUFFIXES)}

    def _known(self, step: str) -> dict[str, Any]:
        found: Any = read_facts(self._path).get(step)
        return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]

    def _note(self, step: str, what: dict[str, Any]) -> None:
        notes = {**read_facts(self._path), step: what}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self._path, json.dumps(notes))
