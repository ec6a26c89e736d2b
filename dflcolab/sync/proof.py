# pyright: strict
"""How far a copy is proven, in words that promise no more than that."""

from __future__ import annotations

import enum
import os
from collections.abc import Iterable
from pathlib import Path

from dflcolab.sync.remote import Remote

DRIVE_ID = "user.drive.id"
"""Extended attribute that Colab's Drive mount gives every file; begins with "local" until uploaded."""


class Proof(enum.StrEnum):
    """The levels, weakest first."""

    SAVED_HERE = "saved on this machine"
    HANDED_TO_DRIVE = "handed to Drive"
    UPLOADED = "uploaded"
    READ_BACK = "written and read back"
    CONFIRMED = "confirmed"


_MEANING = {
    Proof.SAVED_HERE: "It is on this machine only.",
    Proof.HANDED_TO_DRIVE: "The Drive mount has every byte; it may still be uploading them, so leave "
    "this machine running for a while.",
    Proof.UPLOADED: "The Drive mount says that every file has been uploaded.",
    Proof.READ_BACK: "Every byte was read back from the folder.",
    Proof.CONFIRMED: "Every byte was read back over the network.",
}


def meaning(proof: Proof) -> str:
    """One sentence that says what a level means."""
    return _MEANING[proof]


def proof_of(remote: Remote, stored: Iterable[str]) -> Proof:
    """The level that files have reached which were just written and read back by hash.

    Args:
        remote: Where they are.
        stored: Their paths below the remote's root.

    Returns:
        `CONFIRMED` for object stores, where reading back crosses the network; `READ_BACK` for an
        ordinary folder; for a Drive mount, whose reads come from a cache, only what its own marks
        say.
    """
    root = remote.local_root
    if root is None:
        return Proof.CONFIRMED
    marks = [drive_mark(root / path) for path in stored]
    if not marks or any(mark is None for mark in marks):
        return Proof.HANDED_TO_DRIVE if is_drive(root) else Proof.READ_BACK
    if all(mark is not None and not mark.startswith("local") for mark in marks):
        return Proof.UPLOADED
    return Proof.HANDED_TO_DRIVE


def drive_mark(path: Path) -> str | None:
    """The Drive mount's mark of a file; None if there is none."""
    if not hasattr(os, "getxattr"):
        return None
    try:
        return os.getxattr(path, DRIVE_ID).decode(errors="replace")
    except OSError:
        return None


def is_drive(folder: Path) -> bool:
    """True if a folder lies on the mounted Drive of Colab."""
    parts = folder.resolve().parts
    return parts[:3] == ("/", "content", "drive") or drive_mark(folder) is not None
