# pyright: strict
"""The faces from before a resize, brought back into the set as it is by now.

A faceset goes on living after a resize: faces are removed, sorted and added. What is undone is the
size alone: every face that is still there gets its former picture under its present name, a removed
one gets it in the trash, and what came since stays. The faces know each other by a note that the
resize has left. All files move by a plan that is written down first (see `folder_swap`).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dflcolab.errors import FacesetError
from dflcolab.faceset.face_files import FACE_SUFFIXES, for_each_face
from dflcolab.faceset.folder_swap import Move, swap_in
from dflcolab.faceset.resize import NOTE_NAME, face_keys, refuse_link, visible_names
from dflcolab.files import list_files, storage_errors
from dflcolab.formats.faceset_pak import PAK_NAME
from dflcolab.progress import Progress
from dflcolab.workspace.moving import free_name
from dflcolab.workspace.trash import Removal, Trash

_GONE = "resize --undo: it was gone from the set"


@dataclass(frozen=True)
class UndoneResize:
    """What an undone resize left.

    Attributes:
        restored: Faces of the set that have their former picture again.
        removed: Faces that were removed since; their former pictures are in the trash.
        since: Face files in the set that the resize did not make; they are as they were.
        kept: Where the resized faces are now.
    """

    restored: int
    removed: int
    since: int
    kept: Path


def undo_resize(folder: Path, trash: Trash, *, progress: Progress) -> UndoneResize:
    """Bring the former pictures back; the resized ones are kept in their turn.

    Args:
        folder: The faceset's folder.
        trash: Where its removed faces are, a folder beside it.
        progress: Shows the work and carries the wish to stop.

    Raises:
        FacesetError: There is nothing to bring back, the faces are packed, or their folder cannot be
            exchanged.
        StorageError: The disk is full or read-only.
        Interrupted: The user asked to stop; nothing was changed.
    """
    refuse_link(folder)
    former = _latest_former(folder)
    made = _read_note(former)
    if (folder / PAK_NAME).exists():
        raise FacesetError(
            f"The faces of {folder} are packed; run `dflcolab unpack` for that side first."
        )
    waiting = {name: keys for name, keys in made.items() if (former / name).exists()}
    live = _matched(list_files(folder, FACE_SUFFIXES), waiting, progress)
    removed = [
        entry for entry in trash.entries() if Path(entry.trash_name).suffix.lower() in FACE_SUFFIXES
    ]
    in_trash = _matched([trash.folder / entry.trash_name for entry in removed], waiting, progress)
    gone = sorted(waiting)
    back = dict(live)
    if not live:  # another set lies there, or none: nothing says that these were removed
        back = {name: name for name in gone}
        gone = []

    staged = folder.with_name(f".{folder.name}_undone")
    kept = folder.with_name(free_name(folder.parent, f"{folder.name}_after_resize"))
    carry = sorted(set(visible_names(folder)) - set(live)) if folder.is_dir() else []
    names = {entry.trash_name: entry.name for entry in removed}
    after: list[Move] = []
    used = set(live)
    for trash_name, name in in_trash.items():
        place = free_name(kept, names[trash_name], taken=used.__contains__)
        used.add(place)
        after.append((f"{trash.folder.name}/{trash_name}", f"{kept.name}/{place}"))
        after.append((f"{former.name}/{name}", f"{trash.folder.name}/{trash_name}"))
    with storage_errors(folder):
        trash.move([Removal(former / name, _GONE) for name in gone])
        staged.mkdir(exist_ok=True)
        swap_in(
            folder,
            staged,
            kept,
            carry=carry,
            before=[
                *((f"{former.name}/{name}", f"{staged.name}/{now}") for now, name in back.items()),
                (f"{former.name}/{NOTE_NAME}", f"{staged.name}/{NOTE_NAME}"),
            ],
            after=after,
            emptied=former,
        )
        (folder / NOTE_NAME).unlink(missing_ok=True)
    return UndoneResize(
        restored=len(back),
        removed=len(in_trash) + len(gone),
        since=sum(Path(name).suffix.lower() in FACE_SUFFIXES for name in carry),
        kept=kept,
    )


def _matched(
    paths: Sequence[Path], waiting: dict[str, tuple[str, str]], progress: Progress
) -> dict[str, str]:
    """File name → name of its former picture, which is taken off `waiting`."""
    keys = dict(
        for_each_face(
            paths,
            lambda file: (file.path.name, face_keys(file.data, file.record)),
            progress=progress,
            title="Looking for resized faces",
        )
    )
    found: dict[str, str] = {}
    for part in (0, 1):  # by the picture, then by the frame
        names: dict[str, list[str]] = defaultdict(list)
        for name, of_face in sorted(waiting.items()):
            names[of_face[part]].append(name)
        for now in sorted(keys.keys() - found.keys()):
            same = names.get(keys[now][part], [])
            if keys[now][part] and same:
                former = now if now in same else same[0]  # of equal ones first by name
                same.remove(former)
                del waiting[former]
                found[now] = former
    return found


def _latest_former(folder: Path) -> Path:
    candidates = [
        path
        for path in folder.parent.glob(f"{folder.name}_before_resize*")
        if (path / NOTE_NAME).is_file()
    ]
    if not candidates:
        raise FacesetError(
            f"There are no faces from before a resize beside {folder}; nothing was changed."
        )
    return max(candidates, key=lambda path: (path / NOTE_NAME).stat().st_mtime_ns)


def _read_note(former: Path) -> dict[str, tuple[str, str]]:
    """What the resize made: file name → keys of the new face."""
    path = former / NOTE_NAME
    try:
        read: Any = json.loads(path.read_text(encoding="utf-8"))
        made = {
            str(name): (str(picture), str(record))
            for name, (picture, record) in cast(dict[Any, Any], read["made"]).items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FacesetError(f"{path} is damaged; exchange the folders by hand.") from error
    return {name: keys for name, keys in made.items() if Path(name).name == name}
