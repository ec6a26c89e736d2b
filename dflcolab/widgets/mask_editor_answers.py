"""What the page asks for, checked, and what it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dflcolab.errors import ConfigError, DFLColabError
from dflcolab.widgets.mask_editor_desk import FILTERS, MaskDesk
from dflcolab.widgets.mask_editor_page import from_page, to_page


class Answers:
    """Turns a message of the page into a message to it.

    A question is `{"id": text, "do": action, "face": name, …}`. `face` is the name that the page
    shows; nothing is done where it is not the face in work. The answer is `{"id", "failed",
    "note", "state"}`, with the face's file as its only buffer where the face changed.
    """

    def __init__(self, desk: MaskDesk) -> None:
        self._desk = desk
        self._actions: dict[str, Callable[[Mapping[str, Any]], str]] = {
            "hello": self._hello,
            "step": lambda values: desk.step(_direction(values)),
            "go": self._open,
            "filter": self._filter,
            "overlay": lambda values: desk.lay_over(values.get("what")),  # pyright: ignore[reportArgumentType]
            "save": lambda values: desk.draw(from_page(values.get("outlines"), desk.polygons)),
            "undo": lambda _: desk.undo(),
            "redo": lambda _: desk.redo(),
            "accept": lambda _: desk.accept(),
            "guess": lambda _: desk.first_guess(),
            "refine": lambda _: desk.refine(),
            "copy": lambda values: desk.copy(_direction(values)),
        }

    def answer(self, message: object) -> tuple[dict[str, Any], list[bytes]]:
        """Do what the page asks for; a failure is a sentence in the answer."""
        values: Mapping[str, Any] = message if isinstance(message, dict) else {}
        before = self._desk.at
        failed = False
        buffers: list[bytes] = []
        try:
            note = self._done(values)
            if values.get("do") == "hello" or self._desk.at != before:
                buffers.append(self._desk.face.jpeg())
        except DFLColabError as error:
            failed, note = True, str(error)
        content = {"id": _id(values), "failed": failed, "note": note, "state": self._state()}
        return content, buffers

    def _done(self, values: Mapping[str, Any]) -> str:
        action = self._actions.get(str(values.get("do")))
        if action is None:
            raise ConfigError("The page asked for something unknown; reload it.")
        if values.get("do") != "hello" and values.get("face") != self._desk.known.name:
            raise ConfigError(
                f"The page showed another face than {self._desk.known.name}; do that again."
            )
        return action(values)

    def _hello(self, _values: Mapping[str, Any]) -> str:
        problems = self._desk.files.problems
        return f"{len(problems)} files are left out: {problems[0]}" if problems else ""

    def _open(self, values: Mapping[str, Any]) -> str:
        position = values.get("position")
        if not isinstance(position, int):
            raise ConfigError("The number of a face is a whole number; type it again.")
        self._desk.open(position - 1)
        return self._desk.overlay.note

    def _filter(self, values: Mapping[str, Any]) -> str:
        kind = values.get("filter")
        if kind not in FILTERS:
            raise ConfigError("The page asked for an unknown choice of faces; reload it.")
        return self._desk.choose(kind)

    def _state(self) -> dict[str, Any]:
        desk = self._desk
        face = desk.face
        return {
            "face": {"name": desk.known.name, "width": face.width, "height": face.height},
            "position": desk.at + 1,
            "total": len(desk.files.faces),
            "labelled": desk.labelled,
            "filter": desk.filter,
            "outlines": to_page(desk.polygons),
            "guess": desk.guess,
            "undo": desk.can_undo,
            "redo": desk.can_redo,
            "overlay": {"what": desk.overlay.kind, "outlines": to_page(desk.overlay.polygons)},
        }


def given_up(message: object, error: BaseException) -> dict[str, Any]:
    """The answer where work was broken off: a sentence, and no state."""
    values: Mapping[str, Any] = message if isinstance(message, dict) else {}
    note = f"That failed unexpectedly ({type(error).__name__}: {error}); please report it."
    if isinstance(error, KeyboardInterrupt):
        note = "Stopped, as asked."
    return {"id": _id(values), "failed": True, "note": note, "state": None}


def _id(values: Mapping[str, Any]) -> str:
    return str(values.get("id", ""))


def _direction(values: Mapping[str, Any]) -> int:
    by = values.get("by")
    if by not in (-1, 1):
        raise ConfigError("The page asked for a step of neither 1 nor -1; reload it.")
    return by
