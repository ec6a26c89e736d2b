"""One face at a time, with its outlines, their past, and what can be done with them.

Both forms of the mask editor (the page, and the plain one) give its methods to the user. Each
change is in the face's file when the method returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from dflcolab.errors import ConfigError, DFLColabError, FormatError
from dflcolab.faces.face_record import Polygon
from dflcolab.faces.guesses import GuessKind, guess_kind
from dflcolab.faceset.label_refine import refined_outlines
from dflcolab.formats.dfl_jpeg import Face
from dflcolab.widgets.mask_editor_files import KnownFace, MaskFiles, same_polygons
from dflcolab.widgets.mask_editor_guesses import copied, first_guess, nearest_drawn
from dflcolab.widgets.mask_editor_order import Suggestions
from dflcolab.widgets.mask_editor_overlays import (
    OVERLAYS,
    Overlay,
    OverlayKind,
    Predictor,
    overlay_of,
)

FaceFilter = Literal["all", "unlabelled", "next", "uncertain", "guessed", "labelled"]
FILTERS: tuple[FaceFilter, ...] = get_args(FaceFilter)
_REMEMBERED = 200  # changes of one face

Outlines = tuple[Polygon, ...]


@dataclass(frozen=True, eq=False)
class _State:
    """Outlines of a face at one time, and what they were made from."""

    polygons: Outlines
    guess: GuessKind | None = None


@dataclass
class _Past:
    """Earlier and undone outlines of a face, the nearest last."""

    undo: list[_State] = field(default_factory=list)
    redo: list[_State] = field(default_factory=list)


class MaskDesk:
    """The face in work.

    Args:
        files: The faces.
        predictor: What guesses and predictions come from.
        suggestions: Which faces are worth labelling.

    Attributes:
        at: Index of the face in `files.faces`.
        face: That face as its file is now.
        filter: Which faces `step` stops at.
        overlay: What lies over it.
    """

    def __init__(self, files: MaskFiles, predictor: Predictor, suggestions: Suggestions) -> None:
        self.files = files
        self.predictor = predictor
        self.filter: FaceFilter = "all"
        self.overlay = Overlay("none")
        self._suggestions = suggestions
        self._ordered: Sequence[int] = range(len(files.faces))
        self._pasts: dict[str, _Past] = {}
        self.at: int
        self.face = self._first()

    @property
    def known(self) -> KnownFace:
        """What is remembered of the face in work."""
        return self.files.faces[self.at]

    @property
    def polygons(self) -> Outlines:
        """Its outlines."""
        return self.face.record.polygons

    @property
    def guess(self) -> GuessKind | None:
        """What a program made them from; None for drawn ones."""
        return guess_kind(self.face.record)

    @property
    def can_undo(self) -> bool:
        """True if the face had other outlines before."""
        return bool(self._past.undo)

    @property
    def can_redo(self) -> bool:
        """True if a change was taken back."""
        return bool(self._past.redo)

    @property
    def labelled(self) -> int:
        """Faces that have outlines."""
        return sum(face.labelled for face in self.files.faces)

    # Going from face to face.

    def open(self, index: int) -> None:
        """Take the face of this index.

        Raises:
            FormatError: Its file is missing or damaged.
            FacesetError: It holds another face by now.
            ConfigError: There is no such face.
        """
        if not 0 <= index < len(self.files.faces):
            raise ConfigError(f"There are faces 1 to {len(self.files.faces)}; name one of them.")
        self.face = self.files.read(self.files.faces[index])
        self.at = index
        self._lay_over()

    def step(self, by: int) -> str:
        """Go to the next face that the filter lets through; those that cannot be read are passed.

        Args:
            by: 1 goes on, -1 back.

        Returns:
            A sentence on what happened; "" for nothing special.
        """
        problems: list[str] = []
        place = self._place()
        while 0 <= (place := place + by) < len(self._ordered):
            index = self._ordered[place]
            if not self._lets_through(self.files.faces[index]):
                continue
            try:
                self.open(index)
            except DFLColabError as error:
                problems.append(str(error))
            else:
                return " ".join(problems) or self.overlay.note
        if self.filter == "next" and by > 0:
            return self.choose("next")
        return " ".join([*problems, "There is no further face of this kind in that direction."])

    def choose(self, kind: FaceFilter) -> str:
        """Show only some faces from now on, and go to the first of them if the present is none.

        Returns:
            A sentence; "" for nothing special.

        Raises:
            ModelError: The least certain faces are asked for, and there is no trained network.
            CheckpointError: No checkpoint of it is whole.
        """
        self._ordered = self._in_order(kind)
        self.filter = kind
        suggested = kind in ("next", "uncertain")
        if not suggested and self._lets_through(self.known):
            return ""
        for index in self._ordered:
            if self._lets_through(self.files.faces[index]):
                self.open(index)
                return self.overlay.note
        return "All faces are labelled." if suggested else "There is no such face."

    def _in_order(self, kind: FaceFilter) -> Sequence[int]:
        if kind not in ("next", "uncertain"):
            return range(len(self.files.faces))
        places = {face.name: index for index, face in enumerate(self.files.faces)}
        return [places[name] for name in self._suggestions.names(kind) if name in places]

    def lay_over(self, kind: OverlayKind) -> str:
        """Show something over the faces from now on."""
        if kind not in OVERLAYS:
            raise ConfigError(f"{kind!r} is no overlay; choose one of {', '.join(OVERLAYS)}.")
        self.overlay = Overlay(kind)
        self._lay_over()
        return self.overlay.note

    # Changing the outlines.

    def draw(self, polygons: Outlines) -> str:
        """Give the face drawn outlines; equal ones change nothing, and stay a guess if they are one.

        Raises:
            FormatError: As `MaskFiles.write`, and so the other errors.
        """
        if same_polygons(polygons, self.polygons):
            return ""
        return self._change(polygons, None)

    def undo(self) -> str:
        """Take the last change of the face back."""
        past = self._past
        return self._go(
            past.undo, past.redo, "There is nothing to take back.", "one step on (Redo)"
        )

    def redo(self) -> str:
        """Make the change again that was taken back last."""
        past = self._past
        return self._go(past.redo, past.undo, "Nothing was taken back.", "one step back")

    def accept(self) -> str:
        """Count guessed outlines as drawn ones."""
        if self.guess is None:
            return "These outlines count as drawn already."
        self.files.accept(self.known)
        self.face = self.files.read(self.known)
        return "These outlines count as drawn now."

    def first_guess(self) -> str:
        """Outlines from the network, else from the stored mask, else from the landmarks' hull."""
        found = first_guess(self.face, self.predictor)
        if not found.polygons:
            return found.note
        return self._change(found.polygons, found.kind) or found.note

    def refine(self) -> str:
        """Move the outlines to the edges in the picture."""
        if not self.face.record.has_points:
            return "There are no outlines to refine; draw some, or take a first guess."
        found = refined_outlines(self.face.decode(), self.polygons)
        if same_polygons(found, self.polygons):
            return "These outlines enclose too little, or all, to be fitted to edges."
        return self._change(found, self.guess) or "Fitted to the edges in the picture."

    def copy(self, by: int) -> str:
        """Take the drawn outlines of the nearest labelled face of the same video.

        Args:
            by: -1 looks among the frames before this one, 1 among those after.
        """
        other = nearest_drawn(self.files.faces, self.known, by)
        if other is None:
            where = "before" if by < 0 else "after"
            return f"No frame {where} this one in the same video has drawn outlines."
        found = copied(self.files.read(other), self.face)
        away = abs(other.frame.number - self.known.frame.number)
        note = f"Copied from {other.name}, {away} frame(s) away, {found.note}."
        return self._change(found.polygons, found.kind) or note

    @property
    def _past(self) -> _Past:
        return self._pasts.setdefault(self.known.name, _Past())

    def _first(self) -> Face:
        problems: list[str] = []
        for index, known in enumerate(self.files.faces):
            try:
                face = self.files.read(known)
            except FormatError as error:
                problems.append(str(error))
            else:
                self.at = index
                return face
        raise FormatError(problems[0])

    def _place(self) -> int:
        """Of the face in work in the present order; before the first if it is not in it."""
        return self._ordered.index(self.at) if self.at in self._ordered else -1

    def _lets_through(self, face: KnownFace) -> bool:
        if self.filter == "guessed":
            return face.guessed
        if self.filter in ("labelled", "unlabelled"):
            return face.labelled is (self.filter == "labelled")
        return True

    def _lay_over(self) -> None:
        try:
            self.overlay = overlay_of(self.face, self.overlay.kind, self.predictor)
        except FormatError as error:
            self.overlay = Overlay(self.overlay.kind, (), str(error))

    def _change(self, polygons: Outlines, guess: GuessKind | None) -> str:
        """Write new outlines, and remember the old ones; a sentence if there is something to say."""
        shown = _State(self.polygons, self.guess)
        before = self.files.write(self.known, polygons, guess)
        self.face = self.files.read(self.known)
        past = self._past
        past.undo.append(shown)
        past.redo.clear()
        note = self._remember_strange(before, shown, past.undo, "one step back")
        del past.undo[:-_REMEMBERED]
        return note

    def _go(self, source: list[_State], target: list[_State], nothing: str, where: str) -> str:
        if not source:
            return nothing
        shown, wanted = _State(self.polygons, self.guess), source[-1]
        before = self.files.write(self.known, wanted.polygons, wanted.guess)
        self.face = self.files.read(self.known)
        source.pop()
        target.append(shown)
        return self._remember_strange(before, shown, target, where)

    def _remember_strange(
        self, before: Outlines, shown: _State, past: list[_State], where: str
    ) -> str:
        """Outlines that another program had written meanwhile are not lost: they are remembered."""
        if same_polygons(before, shown.polygons):
            return ""
        past.append(_State(before))
        return f"Another program had changed the outlines of {self.known.name}; they are {where}."
