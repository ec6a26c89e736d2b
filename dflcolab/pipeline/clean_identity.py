"""Whose faces `clean` keeps: from the words of `--identity`, or from what was chosen before."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dflcolab.errors import ConfigError, WorkspaceError
from dflcolab.faceset.config import CleanConfig
from dflcolab.faceset.identity import Vector
from dflcolab.faceset.person_choice import IdentityVerdict, judge_identity
from dflcolab.files import storage_errors, write_bytes
from dflcolab.workspace.settings import ChosenPerson
from dflcolab.workspace.workspace import Side, Workspace

AUTO, CHOSEN = "auto", "chosen"


@dataclass(frozen=True, eq=False)
class Wish:
    """Who shall stay.

    Attributes:
        words: How it was said, for the report; "" if nobody was chosen.
        number: Number of the person.
        references: Identity vectors of the person from elsewhere.
        remember: Whether this is a new choice to be written down.
    """

    words: str
    number: int | None = None
    references: tuple[Vector, ...] = ()
    remember: bool = False


def read_wish(workspace: Workspace, config: CleanConfig) -> Wish:
    """Understand `--identity`; without it what was chosen before, else for src the main person.

    Raises:
        ConfigError: A picture is missing or shows no face, or nothing was chosen before.
        WorkspaceError: The file with the chosen person is missing or damaged.
    """
    words = config.identity
    if not words or words == (CHOSEN,):
        chosen = workspace.settings.people[config.side.value]
        if chosen is not None:
            return _as_before(workspace, chosen)
        if words:
            raise ConfigError(
                f"Nobody was chosen for {config.side.value} yet; give --identity auto, a number or "
                "a picture once."
            )
        # Which of several people in a dst video is meant, nobody but the user can know.
        return Wish("" if config.side is Side.DST else AUTO)
    return _understood(words)


def chosen_by(workspace: Workspace, side: Side, word: str) -> bool:
    """Whether the person of a side was chosen by this word, which cannot be understood once more.

    For callers whose words stay, such as the notebook's form: a number means somebody else when the
    others have gone, and a picture may be on another machine.

    Args:
        workspace: Where the choice was made.
        side: Whose faces.
        word: A number, the path of a picture, or `auto`.
    """
    chosen = workspace.settings.people[side.value]
    if chosen is None or not chosen.vectors or Path(word).exists():
        return False
    return chosen.reference == (f"number {int(word)}" if word.isdecimal() else Path(word).name)


def judge(wish: Wish, vectors: Mapping[str, Vector], tracks: Mapping[str, str],
          config: CleanConfig) -> IdentityVerdict:  # fmt: skip
    """Tell the wanted from the foreign faces.

    Raises:
        ConfigError: There is no such person; without this, everybody would go.
    """
    verdict = judge_identity(
        vectors,
        tracks,
        number=wish.number,
        references=wish.references,
        threshold=config.identity_threshold,
    )
    if verdict.wanted:
        return verdict
    where = f"the {len(vectors)} faces of {config.side.value}"
    if wish.references:
        raise ConfigError(
            f"Nobody among {where} looks like the wanted person ({wish.words}; the best likeness is "
            f"{verdict.best:.2f}, {config.identity_threshold:.2f} is needed); give another picture "
            "or the number of the person (--identity 1)."
        )
    raise ConfigError(
        f"There is no person {wish.number} among {where}; the numbers go up to "
        f"{len(verdict.people)}."
    )


def remember(workspace: Workspace, side: Side, wish: Wish, verdict: IdentityVerdict) -> None:
    """Write down who was chosen, so that later runs do not depend on numbers and pictures."""
    name = f"person_{side.value}.npy"
    stream = io.BytesIO()
    np.save(stream, np.stack(verdict.centres).astype(np.float32), allow_pickle=False)
    with storage_errors(workspace.root):
        write_bytes(workspace.root / name, stream.getvalue())
    workspace.update(**{f"person_{side.value}": ChosenPerson(wish.words, name)})


def _understood(words: tuple[str, ...]) -> Wish:
    if words == (AUTO,):
        return Wish(AUTO, remember=True)
    if len(words) == 1 and words[0].isdecimal() and not Path(words[0]).exists():
        return Wish(f"number {int(words[0])}", number=int(words[0]), remember=True)
    from dflcolab.detection.reference import reference_faces

    vectors = reference_faces([Path(word) for word in words])
    names = ", ".join(Path(word).name for word in words)
    return Wish(names, references=tuple(vectors), remember=True)


def _as_before(workspace: Workspace, chosen: ChosenPerson) -> Wish:
    if not chosen.vectors:  # written by hand: only the words count
        wish = _understood((chosen.reference,))
        return Wish(wish.words, wish.number, wish.references)
    path = workspace.root / chosen.vectors
    try:
        with storage_errors(path):
            rows = np.load(path, allow_pickle=False)
        usable = rows.ndim == 2 and len(rows) > 0 and np.isfinite(rows).all()
    except (ValueError, EOFError, TypeError, FileNotFoundError):
        usable = False
    if not usable:
        raise WorkspaceError(
            f"{path}, the person chosen by {chosen.reference}, is missing or damaged; choose once "
            "more with --identity."
        )
    vectors = tuple(np.asarray(row, np.float32) for row in rows)
    return Wish(f"{chosen.reference}, chosen before", references=vectors)
