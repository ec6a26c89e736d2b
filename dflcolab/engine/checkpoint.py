"""What training leaves on disk: complete, verified checkpoints, or none.

`ckpt-000123000/` holds `weights.safetensors`, `optimizer.safetensors`, `state.json`, `preview.jpg`
and, written last, `complete.json` with the size and SHA-256 of each. The folder is filled under a
temporary name, forced to the disk and renamed; without a valid `complete.json` it does not exist.
`index.json` tells people which is the latest and the best; programs look at the folders.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dflcolab.arrays import Array
from dflcolab.engine.tensor_file import read_tensors, write_tensors
from dflcolab.errors import CheckpointError
from dflcolab.files import TEMPORARY_SUFFIX, fsync_dir, sha256_of, storage_errors, write_text

WEIGHTS = "weights.safetensors"
OPTIMIZER = "optimizer.safetensors"
STATE = "state.json"
PREVIEW = "preview.jpg"
MARKER = "complete.json"
INDEX = "index.json"
FORMAT_VERSION = 1

SCORED_BY = "scored_by"
"""Where `state.json` says what its `held_out_loss` means and whose it is, as a fingerprint."""

_FOLDER = re.compile(r"ckpt-(\d{9,})")
_ASIDE = re.compile(r"\.(ckpt-(\d{9,}))\.aside\.tmp")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """A folder with a marker; its parts are not yet verified.

    Attributes:
        folder: `…/ckpt-000123000`.
        iteration: Finished iterations.
        serial: Number of the save; the largest is the latest, also after a restart from 0.
        parts: File name to (size in bytes, hex SHA-256).
    """

    folder: Path
    iteration: int
    serial: int
    parts: Mapping[str, tuple[int, str]] = field(repr=False)

    def verify(self) -> None:
        """Compare every byte with the marker.

        Raises:
            CheckpointError: A part is missing, short or altered.
        """
        for name, (size, digest) in self.parts.items():
            path = self.folder / name
            if not path.is_file():
                raise CheckpointError(f"{path} is missing; use another checkpoint.")
            if path.stat().st_size != size or sha256_of(path) != digest:
                raise CheckpointError(f"{path} is damaged; use another checkpoint.")

    def state(self) -> dict[str, Any]:
        """Content of `state.json`.

        Raises:
            CheckpointError: It is unreadable or of a newer version.
        """
        path = self.folder / STATE
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"{path} is missing or damaged; use another checkpoint."
            ) from error
        version = state.get("format_version") if isinstance(state, dict) else None
        if not isinstance(version, int):
            raise CheckpointError(f"{path} is missing or damaged; use another checkpoint.")
        if version > FORMAT_VERSION:
            raise CheckpointError(f"{path} was written by a newer dflcolab; upgrade this one.")
        return state

    def weights(self) -> dict[str, Array]:
        """Full variable name to float32 array."""
        return read_tensors(self.folder / WEIGHTS)

    def optimizer(self) -> dict[str, Array]:
        """Optimizer slots and step count under DFL's keys."""
        return read_tensors(self.folder / OPTIMIZER)


@dataclass(frozen=True)
class Contents:
    """What goes into a checkpoint.

    Attributes:
        iteration: Finished iterations.
        weights: Full variable name to float32 array.
        optimizer: Slots under DFL's keys.
        state: JSON-ready; the format version and serial are added.
        preview: A JPEG file, or nothing.
    """

    iteration: int
    weights: Mapping[str, Array]
    optimizer: Mapping[str, Array]
    state: Mapping[str, Any]
    preview: bytes = b""


def list_checkpoints(model_dir: Path) -> list[Checkpoint]:
    """All folders with a readable marker, latest save last.

    One that was set aside for a save of the same iteration counts until that save has its place.
    """
    found: list[Checkpoint] = []
    if not model_dir.is_dir():
        return found
    for folder in model_dir.iterdir():
        match = _FOLDER.fullmatch(folder.name)
        aside = _ASIDE.fullmatch(folder.name)
        if aside and not (model_dir / aside[1]).exists():
            checkpoint = _read_marker(folder, int(aside[2]))
        else:
            checkpoint = _read_marker(folder, int(match[1])) if match else None
        if checkpoint:
            found.append(checkpoint)
    return sorted(found, key=lambda checkpoint: (checkpoint.serial, checkpoint.iteration))


def latest_checkpoint(
    model_dir: Path, *, on_problem: Callable[[str], None] | None = None
) -> Checkpoint | None:
    """The latest checkpoint whose every byte verifies; None for a model without any save.

    Args:
        model_dir: Folder of the model.
        on_problem: Gets one sentence for each broken checkpoint that was passed over.

    Raises:
        CheckpointError: There are checkpoints, but none is whole: training must not begin anew
            over them in silence.
    """
    checkpoints = list_checkpoints(model_dir)
    for checkpoint in reversed(checkpoints):
        try:
            checkpoint.verify()
            checkpoint.state()
        except CheckpointError as error:
            text = f"{str(error).split(';')[0]}; the checkpoint before it is used instead."
            _LOG.warning(text)
            if on_problem:
                on_problem(text)
            continue
        return checkpoint
    leftovers = _folders(model_dir)
    if leftovers:
        raise CheckpointError(
            f"None of the {len(leftovers)} checkpoints in {model_dir} is whole; restore one from a "
            "copy, or move them away to start anew."
        )
    return None


def newest_state(model_dir: Path) -> Mapping[str, Any] | None:
    """`state.json` of the newest checkpoint in which it can be read; None for a model without any save.

    Quick: only what this file is needed for, such as options and kind, may rest on it, since the
    weights beside it are not looked at.

    Raises:
        CheckpointError: There are checkpoints, but none is whole.
    """
    for checkpoint in reversed(list_checkpoints(model_dir)):
        try:
            return checkpoint.state()
        except CheckpointError:
            continue
    found = latest_checkpoint(model_dir)
    return None if found is None else found.state()


def write_checkpoint(
    model_dir: Path,
    contents: Contents,
    *,
    keep: int = 3,
    best: str | None = None,
    in_use: Callable[[], Collection[str]] = tuple,
) -> Checkpoint:
    """Save everything as one new checkpoint, then drop the oldest ones.

    Args:
        model_dir: Folder of the model; made if missing.
        contents: What to save.
        keep: How many of the latest stay.
        best: Name of a checkpoint folder that stays in any case; "" = this one.
        in_use: Asked for the names of folders that somebody is copying; those stay until later.

    Raises:
        StorageError: Disk full, read-only or gone. Earlier checkpoints are untouched.
    """
    with storage_errors(model_dir):
        model_dir.mkdir(parents=True, exist_ok=True)
        remove_leftovers(model_dir)
        present = list_checkpoints(model_dir)
        serial = present[-1].serial + 1 if present else 1
        folder = model_dir / f"ckpt-{contents.iteration:09d}"
        temporary = model_dir / f".{folder.name}.{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}"
        try:
            temporary.mkdir()
            parts = _write_parts(temporary, contents, serial)
            marker = {
                "version": FORMAT_VERSION,
                "iteration": contents.iteration,
                "serial": serial,
                "parts": {name: {"size": s, "sha256": d} for name, (s, d) in parts.items()},
            }
            _write_synced(temporary / MARKER, json.dumps(marker, indent=1).encode())
            fsync_dir(temporary)
            if folder.exists():
                # The same iteration of an earlier run (pretraining), or a broken folder.
                folder.rename(model_dir / f".{folder.name}.aside{TEMPORARY_SUFFIX}")
            os.replace(temporary, folder)
            fsync_dir(model_dir)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        remove_leftovers(model_dir)
        _prune(model_dir, keep, folder.name if best == "" else best, in_use())
    return Checkpoint(folder, contents.iteration, serial, parts)


def best_of(checkpoints: list[Checkpoint], *, like: Mapping[str, Any] | None = None) -> str | None:
    """The folder with the lowest held-out loss of those in `scores_of`; None without any."""
    scores = scores_of(checkpoints, like=like)
    return min(scores, key=lambda name: scores[name]) if scores else None


def scores_of(
    checkpoints: list[Checkpoint], *, like: Mapping[str, Any] | None = None
) -> dict[str, float]:
    """Held-out losses that can be compared, by folder name.

    That is, of the same phase of training (pretraining or not), by the same options and of the same
    faces (`SCORED_BY`; what has no such entry counts as alike).

    Args:
        checkpoints: As `list_checkpoints` gives them.
        like: The state whose losses they are to be comparable with; None: that of the newest one with
            a loss in the newest one's phase.
    """
    known: list[tuple[str, float, Mapping[str, Any]]] = []
    phase = None if like is None else like.get("pretraining")
    for checkpoint in reversed(checkpoints):
        try:
            state = checkpoint.state()
        except CheckpointError:
            continue
        phase = state.get("pretraining") if phase is None else phase
        score = state.get("held_out_loss")
        if state.get("pretraining") == phase and isinstance(score, (int, float)):
            known.append((checkpoint.folder.name, float(score), state))
    if not known:
        return {}
    by = (like or known[0][2]).get(SCORED_BY)
    return {name: score for name, score, state in known if state.get(SCORED_BY) == by}


def remove_leftovers(model_dir: Path) -> None:
    """Delete what an interrupted save left under temporary names."""
    for path in model_dir.glob(f".ckpt-*{TEMPORARY_SUFFIX}"):
        aside = _ASIDE.fullmatch(path.name)
        if aside and not (model_dir / aside[1]).exists():
            continue  # killed between two renames: the only place of this checkpoint
        shutil.rmtree(path, ignore_errors=True)


def _write_parts(folder: Path, contents: Contents, serial: int) -> dict[str, tuple[int, str]]:
    state = {
        "format_version": FORMAT_VERSION,
        "iteration": contents.iteration,
        "serial": serial,
        **contents.state,
    }
    text = json.dumps(state, indent=1, allow_nan=False).encode()
    parts = {
        WEIGHTS: write_tensors(folder / WEIGHTS, contents.weights),
        OPTIMIZER: write_tensors(folder / OPTIMIZER, contents.optimizer),
        STATE: _write_synced(folder / STATE, text),
    }
    if contents.preview:
        parts[PREVIEW] = _write_synced(folder / PREVIEW, contents.preview)
    return parts


def _write_synced(path: Path, data: bytes) -> tuple[int, str]:
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    return len(data), sha256_of(path)


def _prune(model_dir: Path, keep: int, best: str | None, in_use: Collection[str]) -> None:
    checkpoints = list_checkpoints(model_dir)
    kept = [c.folder.name for c in checkpoints[-keep:]]
    for checkpoint in checkpoints[:-keep]:
        if checkpoint.folder.name == best or checkpoint.folder.name in in_use:
            kept.insert(0, checkpoint.folder.name)
            continue
        # First the name: a half-deleted folder must not look like a checkpoint.
        doomed = model_dir / f".{checkpoint.folder.name.lstrip('.')}.old{TEMPORARY_SUFFIX}"
        checkpoint.folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
    index = {"latest": kept[-1], "best": best if best in kept else None, "checkpoints": kept}
    write_text(model_dir / INDEX, json.dumps(index, indent=1))


def _folders(model_dir: Path) -> list[Path]:
    if not model_dir.is_dir():
        return []
    return [path for path in model_dir.iterdir() if _FOLDER.fullmatch(path.name)]


def _read_marker(folder: Path, iteration: int) -> Checkpoint | None:
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        parts = {
            str(name): (int(part["size"]), str(part["sha256"]))
            for name, part in marker["parts"].items()
        }
        serial = int(marker["serial"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if not {WEIGHTS, OPTIMIZER, STATE} <= set(parts):
        return None
    if any("/" in name or name.startswith(".") for name in parts):
        return None
    return Checkpoint(folder, iteration, serial, parts)
