# pyright: strict
"""What the landmark editor answers to its page, and every failure as a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dflcolab.errors import DFLColabError, FacesetError
from dflcolab.widgets.landmark_editor_desk import VIEWS, LandmarkDesk
from dflcolab.widgets.page_progress import PageProgress
from dflcolab.widgets.page_requests import Content, Send, done_as_asked, request_of
from dflcolab.words import counted


class Answers:
    """Turns what a page asks into calls of a desk.

    Args:
        desk: The faces.
        send: Takes messages for the page; also used for progress while a request is worked on.
        changed: Called after face files were changed.
    """

    def __init__(
        self, desk: LandmarkDesk, send: Send, *, changed: Callable[[], None] = lambda: None
    ) -> None:
        self._desk = desk
        self._send = send
        self._changed = changed
        self._asked: Mapping[str, Callable[[Content], str]] = {
            "show": lambda _asked: "",
            "save": self._save,
            "between": self._between,
            "undo": self._undo,
        }

    def answer(self, content: object) -> None:
        """Do what a page asks, then show the face that it names; or send one sentence of failure."""
        asked = request_of(content)
        try:
            text = done_as_asked(asked, self._asked, who="editor")
            self._show(asked, text)
            if asked["do"] != "show":
                self._changed()
        except DFLColabError as error:
            self._send({"do": "failed", "text": str(error)}, [])

    def _save(self, asked: Content) -> str:
        self._desk.save(asked.get("name"), asked.get("points"))
        return "Saved: the face was cut out anew; the earlier file is in the trash."

    def _between(self, asked: Content) -> str:
        progress = PageProgress(lambda text: self._send({"do": "progress", "text": text}, []))
        n = self._desk.fill_between(asked.get("name"), progress=progress)
        return f"Set between the two: {counted(n, 'face')}; look through them."

    def _undo(self, asked: Content) -> str:
        n = self._desk.undo()
        return f"Taken back: {counted(n, 'face')}." if n else "There is nothing to undo."

    def _show(self, asked: Content, text: str) -> None:
        desk = self._desk
        if not desk.names:
            raise FacesetError("No face is left to edit; run the editor's cell again.")
        name = asked.get("name")
        if not name or (asked.get("do") != "show" and name not in desk.all):
            name = desk.names[0]
        view = asked.get("view")
        view = view if isinstance(view, int) and 0 <= view < len(VIEWS) else 0
        shown = desk.show(name, view)
        place = shown.place
        self._send(
            {
                "do": "show",
                "name": shown.face.name,
                "frame": shown.face.stem,
                "place": place,
                "faces": len(desk.names),
                "previous": desk.names[place - 1] if place > 0 else "",
                "next": desk.names[place + 1] if place + 1 < len(desk.names) else "",
                "view": view,
                "views": len(VIEWS),
                "left": shown.left,
                "top": shown.top,
                "scale": shown.scale,
                "points": shown.face.points.tolist(),
                "byHand": shown.face.by_hand,
                "before": "" if shown.before is None else shown.before.name,
                "undo": desk.undo_count,
                "text": text,
            },
            [shown.jpeg],
        )
