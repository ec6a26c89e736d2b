"""What `clean` says about what it did: a table of faces, and who is in the faceset."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass

from dflcolab.words import counted

_ROWS = 10
_PEOPLE = 5


@dataclass(frozen=True)
class RemovedFace:
    """One removed (or, in a dry run, proposed) face."""

    name: str
    check: str
    reason: str
    score: float | None


@dataclass(frozen=True)
class PersonSeen:
    """One person of the faceset.

    Attributes:
        number: 1 for the one with the most faces.
        faces: How many faces that is.
        wanted: Whether they stay.
        example: File name of the most typical face.
    """

    number: int
    faces: int
    wanted: bool
    example: str


@dataclass(frozen=True)
class CleanReport:
    """What `clean` did.

    Attributes:
        side: Whose faces.
        faces: Number of faces before.
        removed: Faces moved to the trash, or proposed if `dry_run`; by check, the worst first.
        restored: Names of faces brought back by undo, or that would be if `dry_run`.
        dry_run: Nothing was moved.
        checks: Names of the checks that ran; empty for undo.
        people: Who is in the faceset, if identity was looked at.
        identity: By what the wanted person was chosen; "" if nobody was.
        renamed: Of the restored those whose old name was taken meanwhile.
        stays: Number of faces in the trash after undo, by what removed them.
        beside_pack: The restored faces lie beside a `faceset.pak`, which hides them.
    """

    side: str
    faces: int
    removed: tuple[RemovedFace, ...] = ()
    restored: tuple[str, ...] = ()
    dry_run: bool = False
    checks: tuple[str, ...] = ()
    people: tuple[PersonSeen, ...] = ()
    identity: str = ""
    renamed: tuple[str, ...] = ()
    stays: dict[str, int] | None = None
    beside_pack: bool = False

    def summary(self) -> str:
        """The report as text; long tables are cut, `--json` has all of them."""
        return "\n".join(self._undo_lines() if not self.checks else self._clean_lines())

    def _undo_lines(self) -> list[str]:
        what = "Would come back" if self.dry_run else "Back"
        lines = [f"{what} from the trash: {counted(len(self.restored), 'face')} of {self.side}."]
        if self.renamed:
            lines.append(
                f"{len(self.renamed)} of them got a new name because the old one is taken: "
                f"{_few(self.renamed)}."
            )
        if self.beside_pack:
            lines.append(
                "They lie beside faceset.pak, where nothing sees them; "
                f"`dflcolab pack --side {self.side}` adds them to it."
            )
        if self.stays:
            held = ", ".join(f"{number} by {check}" for check, number in self.stays.items())
            what = "In the trash are" if self.dry_run else "Still in the trash:"
            lines.append(f"{what} {held}.")
            if not self.dry_run:
                first = shlex.quote(next(iter(self.stays)))
                whose = "these" if len(self.stays) == 1 else "the first of these"
                lines.append(
                    f"`dflcolab clean --side {self.side} --undo --only {first}` brings {whose} back."
                )
        return lines

    def _clean_lines(self) -> list[str]:
        verb = "would go" if self.dry_run else "moved to the trash"
        ran = ", ".join(self.checks)
        lines = [
            f"{len(self.removed)} of {counted(self.faces, 'face')} of {self.side} {verb}; checked: {ran}."
        ]
        lines += self._people_lines()
        for check, number in Counter(face.check for face in self.removed).items():
            lines += self._table(check, number)
        if self.removed and not self.dry_run:
            lines.append(
                f"`dflcolab clean --side {self.side} --undo` brings them back, "
                "`--only blur` or a name some of them."
            )
        return lines

    def _people_lines(self) -> list[str]:
        if not self.people:
            return []
        if len(self.people) == 1:
            return [f"All faces show one person ({self.people[0].example})."]
        shown = ", ".join(
            f"{person.number} with {counted(person.faces, 'face')} ({person.example})"
            for person in self.people[:_PEOPLE]
        )
        more = len(self.people) - _PEOPLE
        lines = [f"People: {shown}{f', and {more} more' if more > 0 else ''}."]
        if self.identity:
            numbers = ", ".join(str(person.number) for person in self.people if person.wanted)
            lines.append(f"Wanted: {numbers} (by {self.identity}).")
        else:
            lines.append(
                "Nobody was chosen, so all of them stay; choose with --identity NUMBER, a picture, "
                "or auto for number 1."
            )
        return lines

    def _table(self, check: str, number: int) -> list[str]:
        faces = [face for face in self.removed if face.check == check]
        width = max(len(face.name) for face in faces[:_ROWS])
        lines = [f"{check}: {number} of {self.faces}"]
        for face in faces[:_ROWS]:
            score = "" if face.score is None else f"{face.score:.4g}"
            lines.append(f"  {face.name:<{width}}  {score:>8}  {face.reason}")
        if number > _ROWS:
            lines.append(f"  … and {number - _ROWS} more (--json lists all)")
        return lines


def _few(names: tuple[str, ...]) -> str:
    more = len(names) - _PEOPLE
    return ", ".join(names[:_PEOPLE]) + (f" and {more} more" if more > 0 else "")
