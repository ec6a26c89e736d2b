"""One face at a time, with its outlines, their past, and what can be done with them.

Both forms of the mask editor (the page, and the plain one) give its methods to the user. Each
change is in the face's file when the method returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np

from dflcolab.errors import ConfigError, DFLColabError, FormatError
from dflcolab.faces.alignment import transform_points, umeyama
from dflcolab.faces.face_record import Polygon
from dflcolab.faces.guesses import GuessKind, guess_kind
from dflcolab.faceset.label_flow import carried_over
from dflcolab.faceset.label_guess import hull_guess, mask_guess
from dflcolab.faceset.label_refine import refined_outlines
from dflcolab.formats.dfl_jpeg import Face
from dflcolab.widgets.mask_editor_files import KnownFace, MaskFiles, same_polygons
from dflcolab.widgets.mask_editor_overlays import (
    OVERLAYS,
    Overlay,
    OverlayKind,
    Predictor,
    overlay_of,
)

FaceFilter = Literal["all", "unlabelled", "guessed", "labelled", "uncertain"]
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

    Attributes:
        at: Index of the face in `files.faces`.
        face: That face as its file is now.
        filter: Which faces `step` stops at.
        overlay: What lies over it.
    """

    def __init__(self, files: MaskFiles, predictor: Predictor) -> None:
        self.files = files
        self.predictor = predictor
        self.filter: FaceFilter = "all"
        self.overlay = Overlay("none")
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
        return " ".join([*problems, "There is no further face of this kind in that direction."])

    def choose(self, kind: FaceFilter) -> str:
        """Show only some faces from now on, and go to the first of them if the present is none.

        Returns:
            A sentence; "" for nothing special.

        Raises:
            ModelError: Certainty is asked for, and there is no usable network.
        """
        ordered = range(len(self.files.faces))
        self._ordered, self.filter = ordered, kind
        if kind != "uncertain" and self._lets_through(self.known):
            return ""
        for index in ordered:
            if self._lets_through(self.files.faces[index]):
                self.open(index)
                return self.overlay.note
        return "There is no such face."

    def lay_over(self, kind: OverlayKind) -> str:
        """Show something over the faces from now on."""
        if kind not in OVERLAYS:
            raise ConfigError(f"{kind!r} is no overlay; choose one of {', '.join(OVERLAYS)}.")
        self.overlay = Overlay(kind)
        self._lay_over()
        return self.overlay.note

    # Changing the outlines.

    def draw(self, polygons: Outlines) -> str:
        """Give the face drawn outlines.

        Raises:
            FormatError: As `MaskFiles.write`, and so the other errors.
        """
        return self._change(polygons, None)

    def undo(self) -> str:
        """Take the last change of the face back."""
        return self._go(self._past.undo, self._past.redo, "There is nothing to take back.")

    def redo(self) -> str:
        """Make the change again that was taken back last."""
        return self._go(self._past.redo, self._past.undo, "Nothing was taken back.")

    def accept(self) -> str:
        """Count guessed outlines as drawn ones."""
        if self.guess is None:
            return "These outlines count as drawn already."
        self.files.accept(self.known)
        self.face = self.files.read(self.known)
        return "These outlines count as drawn now."

    def first_guess(self) -> str:
        """Outlines from the network, else from the stored mask, else from the landmarks' hull."""
        face, why = self.face, ""
        if self.predictor.exists:
            try:
                found = mask_guess(self.predictor.mask(face), face.height, face.width)
            except DFLColabError as error:
                found, why = (), f"{error} "
            if found:
                return self._change(found, "model") or "Guessed by the XSeg model."
            why = why or "The XSeg model sees no face here. "
        mask = face.decode_mask()
        if mask is not None:
            found = mask_guess(mask, face.height, face.width)
            if found:
                return self._change(found, "masks") or f"{why}Guessed from the stored mask."
        hull = hull_guess(face.record, face.height, face.width)
        if not hull:
            return f"{why}The landmarks lie outside of the picture; draw the outline."
        return self._change(hull, "hull") or f"{why}Guessed from the landmarks' hull."

    def refine(self) -> str:
        """Move the outlines to the edges in the picture."""
        if not self.face.record.has_points:
            return "There are no outlines to refine; draw some, or take a first guess."
        found = refined_outlines(self.face.decode(), self.polygons)
        if same_polygons(found, self.polygons):
            return "These outlines enclose too little, or all, to be fitted to edges."
        return self._change(found, self.guess) or "Fitted to the edges in the picture."

    def copy(self, by: int) -> str:
        """Take the outlines of the nearest labelled face of the same video.

        Optical flow carries them over; where it does not agree with the picture, they are moved as
        the landmarks are.

        Args:
            by: -1 looks among the frames before this one, 1 among those after.
        """
        other = self._neighbour(by)
        if other is None:
            where = "before" if by < 0 else "after"
            return f"No frame {where} this one in the same video is labelled."
        source = self.files.read(other)
        carried = carried_over(source.record.polygons, source.decode(), self.face.decode())
        away = abs(other.frame.number - self.known.frame.number)
        origin = f"Copied from {other.name}, {away} frames away"
        if carried.trusted:
            return (
                self._change(carried.polygons, "neighbours") or f"{origin}, moved by the picture."
            )
        matrix = umeyama(other.landmarks, self.known.landmarks)[:2]
        moved = tuple(
            replace(polygon, points=transform_points(polygon.points, matrix))
            for polygon in source.record.polygons
        )
        return self._change(moved, "neighbours") or (
            f"{origin}, moved by the landmarks only, since the picture changed: look closely."
        )

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
        note = self._remember_strange(before, shown, past.undo)
        del past.undo[:-_REMEMBERED]
        return note

    def _go(self, source: list[_State], target: list[_State], nothing: str) -> str:
        if not source:
            return nothing
        shown, wanted = _State(self.polygons, self.guess), source[-1]
        before = self.files.write(self.known, wanted.polygons, wanted.guess)
        self.face = self.files.read(self.known)
        source.pop()
        target.append(shown)
        return self._remember_strange(before, shown, target)

    def _remember_strange(self, before: Outlines, shown: _State, past: list[_State]) -> str:
        """Outlines that another program had written meanwhile are not lost: they are remembered."""
        if same_polygons(before, shown.polygons):
            return ""
        past.append(_State(before))
        return f"Another program had changed the outlines of {self.known.name}; they are one step back."

    def _neighbour(self, by: int) -> KnownFace | None:
        """The nearest labelled face of the video on one side; of several in a frame, the nearest."""
        here = self.known

        def away(face: KnownFace) -> tuple[int, float]:
            frames = (face.frame.number - here.frame.number) * by
            return frames, float(np.hypot(*np.subtract(face.middle, here.middle)))

        found = [
            face
            for face in self.files.faces
            if face.labelled and face.frame.numbered and face.frame.video == here.frame.video
            and away(face)[0] > 0
        ]  # fmt: skip
        return min(found, key=away, default=None)
