# pyright: strict
"""What was appended to a side, so that the same material is not added twice.

`data_src/append.jsonl`, a text file that only grows: one line per source, and one per batch of
copied faces with the hashes of their pictures. A batch is written after its files; a torn last line
is ignored, and its faces are recognised in the faceset itself.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dflcolab.errors import FacesetError, FormatError
from dflcolab.files import fsync_dir, storage_errors

FILE_NAME = "append.jsonl"
_VERSION = 1


@dataclass
class Appended:
    """What the log says.

    Attributes:
        videos: Name in the workspace → frames per second it is read at; None for all.
        labels: Label of a set → "photos" or "faceset", and name of the folder or pack it came from.
        pictures: Hash of a copied face's picture → label of its set.
    """

    videos: dict[str, float | None] = field(default_factory=dict[str, "float | None"])
    labels: dict[str, tuple[str, str]] = field(default_factory=dict[str, "tuple[str, str]"])
    pictures: dict[str, str] = field(default_factory=dict[str, str])

    def labels_of(self, kind: str, origin: str) -> list[str]:
        """Labels of the sets of that kind that came from a folder or pack of that name."""
        return [label for label, entry in self.labels.items() if entry == (kind, origin)]


def read_log(path: Path) -> Appended:
    """Everything that was appended; empty if the file is missing.

    Raises:
        FacesetError: A newer dflcolab wrote it.
        FormatError: A line is damaged.
    """
    found = Appended()
    if not path.exists():
        return found
    with storage_errors(path):
        data = path.read_bytes()
    for number, text in enumerate(data.split(b"\n")[:-1], 1):
        try:
            _take(found, json.loads(text), path)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FormatError(
                f"Line {number} of {path} is damaged; delete that line: what it names is then taken "
                "for new if it is appended again."
            ) from error
    return found


def _take(found: Appended, line: Mapping[str, Any], path: Path) -> None:
    kind = line["kind"]
    if kind == "video":
        fps = line["fps"]
        found.videos[str(line["name"])] = None if fps is None else float(fps)
    elif kind in ("photos", "faceset"):
        found.labels[str(line["name"])] = (str(kind), str(line["origin"]))
    elif kind == "faces":
        found.pictures.update((str(picture), str(line["name"])) for picture in line["pictures"])
    elif kind == "new faceset":
        found.pictures.clear()
    elif int(line["version"]) > _VERSION:
        raise FacesetError(f"{path} was written by a newer dflcolab; upgrade this one.")


def log_video(path: Path, name: str, fps: float | None, *, origin: str) -> None:
    """Enter a video that was brought in.

    Args:
        path: The log.
        name: Its name in the workspace.
        fps: Frames per second it is read at; None for all.
        origin: Name of the file that was given, without its folder.
    """
    _append(path, {"kind": "video", "name": name, "fps": fps, "origin": origin})


def log_set(path: Path, kind: str, label: str, origin: str) -> None:
    """Enter a set before its first file is copied.

    Args:
        path: The log.
        kind: "photos" or "faceset".
        label: Its label.
        origin: Name of the folder or pack, without the folders above.
    """
    _append(path, {"kind": kind, "name": label, "origin": origin})


def log_faces(path: Path, label: str, pictures: Sequence[str]) -> None:
    """Enter copied faces by the hashes of their pictures, when their files are on the disk."""
    _append(path, {"kind": "faces", "name": label, "pictures": list(pictures)})


def log_new_faceset(path: Path) -> None:
    """Enter that the faceset was begun anew: copied faces may be copied again."""
    _append(path, {"kind": "new faceset"})


def _append(path: Path, line: Mapping[str, object]) -> None:
    text = json.dumps(line) + "\n"
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as stream:
            end = stream.seek(0, os.SEEK_END)
            if end == 0:
                text = json.dumps({"kind": "log", "version": _VERSION}) + "\n" + text
            else:
                _drop_torn_line(stream, end)
            stream.write(text.encode())
            stream.flush()
            os.fsync(stream.fileno())
        fsync_dir(path.parent)


def _drop_torn_line(stream: Any, end: int) -> None:
    """Cut off the last line if a run died while writing it."""
    stream.seek(end - 1)
    if stream.read(1) == b"\n":
        return
    stream.seek(0)
    whole = stream.read().rfind(b"\n") + 1
    stream.truncate(whole)
