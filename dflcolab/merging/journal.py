# pyright: strict
"""What was merged already, so that a stopped merge goes on and a changed one starts over.

`merged/merge.json` says what the last run was asked for. `merged/merge.jsonl` gets one line for
each finished frame with a key of everything its picture depends on. A line is written after both
pictures stand; a frame counts as done only if its key is the wanted one and both files have the
noted sizes. So a killed run loses nothing but the frames it was working on.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO, cast

from dflcolab.arrays import Landmarks
from dflcolab.files import TEMPORARY_SUFFIX, storage_errors, write_text

RUN_FILE = "merge.json"
FRAMES_FILE = "merge.jsonl"
_VERSION = 1


@dataclass(frozen=True)
class Done:
    """One finished frame: its key and the sizes of its picture and its mask in bytes (0: it has none)."""

    key: str
    size: int
    mask_size: int


def frame_key(run: str, footage: str, faces: Sequence[Landmarks]) -> str:
    """Key of a frame's result.

    Args:
        run: Text of everything that is the same for all frames: look, model, program version.
        footage: Text that tells this frame's picture from another one.
        faces: Landmarks of the faces that are replaced in it.
    """
    digest = hashlib.sha256(f"{run}\0{footage}".encode())
    for landmarks in faces:
        digest.update(landmarks.tobytes())
    return digest.hexdigest()[:24]


class MergeJournal:
    """The record of finished frames in a folder of merged pictures, or of finished parts of a video.

    Args:
        folder: `data_dst/merged`; it must exist.
        mask_folder: `data_dst/merged_mask`; must exist too.
        suffix: Ending of the files.
    """

    def __init__(self, folder: Path, mask_folder: Path, suffix: str = ".png") -> None:
        self._folder = folder
        self._mask_folder = mask_folder
        self._suffix = suffix
        self._done = _read(folder / FRAMES_FILE)
        self._stream: TextIO | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> MergeJournal:
        path = self._folder / FRAMES_FILE
        for left_over in self._folder.glob(f".*{TEMPORARY_SUFFIX}*"):
            left_over.unlink(missing_ok=True)
        for left_over in self._mask_folder.glob(f".*{TEMPORARY_SUFFIX}*"):
            left_over.unlink(missing_ok=True)
        # Written anew without superseded and broken lines, then only added to.
        write_text(path, "".join(_line(stem, done) for stem, done in self._done.items()))
        with storage_errors(path):
            self._stream = path.open("a", encoding="utf-8")
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._stream is not None:
            with storage_errors(self._folder / FRAMES_FILE):
                self._stream.close()
            self._stream = None

    def describe_run(self, facts: Mapping[str, Any]) -> None:
        """Write `merge.json`: what this run was asked for."""
        text = json.dumps({"version": _VERSION, **facts}, indent=1, ensure_ascii=False)
        write_text(self._folder / RUN_FILE, text + "\n")

    def holds(self, stem: str, key: str) -> bool:
        """True if the frame's pictures stand and depend on nothing else than the key says."""
        done = self._done.get(stem)
        if done is None or done.key != key:
            return False
        try:
            size = self.picture_path(stem).stat().st_size
            mask_size = self.mask_path(stem).stat().st_size if done.mask_size else 0
        except OSError:
            return False
        return (size, mask_size) == (done.size, done.mask_size)

    def n_outdated(self, keys: Mapping[str, str]) -> int:
        """How many of the frames were merged before, but with something else than now."""
        return sum(
            1 for stem, key in keys.items() if stem in self._done and self._done[stem].key != key
        )

    def note(self, stem: str, done: Done) -> None:
        """Record a frame whose pictures are in place; may be called by several threads."""
        if self._stream is None:
            raise RuntimeError("the journal is not open")
        with self._lock, storage_errors(self._folder / FRAMES_FILE):
            self._done[stem] = done
            self._stream.write(_line(stem, done))
            self._stream.flush()

    def picture_path(self, stem: str) -> Path:
        """Where a merged frame lies."""
        return self._folder / f"{stem}{self._suffix}"

    def mask_path(self, stem: str) -> Path:
        """Where its mask lies."""
        return self._mask_folder / f"{stem}{self._suffix}"


def _line(stem: str, done: Done) -> str:
    values = {"frame": stem, "key": done.key, "size": done.size, "mask_size": done.mask_size}
    return json.dumps(values, ensure_ascii=False) + "\n"


def _read(path: Path) -> dict[str, Done]:
    """All readable lines, later ones win; a line that was cut off counts for nothing."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return {}
    found: dict[str, Done] = {}
    for line in lines:
        try:
            values = cast("dict[str, Any]", json.loads(line))
            found[str(values["frame"])] = Done(
                str(values["key"]), int(values["size"]), int(values["mask_size"])
            )
        except (ValueError, KeyError, TypeError):
            continue
    return found
