# pyright: strict
"""What the gallery answers to its page: JSON and binary buffers, and every failure as a sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from dflcolab.errors import DFLColabError, FacesetError
from dflcolab.faceset.config import SortKind
from dflcolab.progress import Progress
from dflcolab.widgets.gallery_desk import FACES, TRASH, GalleryDesk
from dflcolab.widgets.gallery_facts import MEASURES, as_floats
from dflcolab.widgets.page_progress import PageProgress
from dflcolab.widgets.page_requests import Content, Send, done_as_asked, request_of
from dflcolab.workspace.workspace import Side

Correct = Callable[[Sequence[str], Progress], None]

_MOST_THUMBNAILS = 400
_DST = "A dst face that is deleted leaves that face as it is in the merged video."


class Answers:
    """Turns what a page asks into calls of a desk.

    Args:
        desk: The faces.
        send: Takes messages for the page; also used for progress while a request is worked on.
        correct: Opens an editor of landmarks for faces of these names; None where there is none.
    """

    def __init__(self, desk: GalleryDesk, send: Send, *, correct: Correct | None = None) -> None:
        self._desk = desk
        self._send = send
        self._correct = correct
        self._ids: dict[str, int] = {}
        self._asked: Mapping[str, Callable[[Content], None]] = {
            "list": self._list_anew,
            "thumbnails": self._thumbnails,
            "delete": self._delete,
            "undo": self._undo,
            "restore": self._restore,
            "sort": self._sort,
            "look": self._look,
            "landmarks": self._landmarks,
            "measures": self._measures,
            "people": self._people,
            "doubtful": self._doubtful,
        }

    def answer(self, content: object) -> None:
        """Do what a page asks, and send it the outcome or one sentence of failure."""
        asked = request_of(content)
        try:
            done_as_asked(asked, self._asked, who="gallery")
        except DFLColabError as error:
            what = asked.get("do")
            self._send({"do": "failed", "asked": what, "text": str(error)}, [])
            if what in ("delete", "undo", "restore"):
                self._list({"where": FACES})

    def _list_anew(self, asked: Content) -> None:
        self._desk.reload()
        self._list(asked)

    def _list(self, asked: Content, *, text: str = "") -> None:
        where = TRASH if asked.get("where") == TRASH else FACES
        pictures = self._desk.pictures(where)
        desk = self._desk
        answer: Content = {
            "do": "list",
            "where": where,
            "side": desk.side.value,
            "names": [picture.name for picture in pictures.items],
            "ids": [self._id(picture.key) for picture in pictures.items],
            "packed": pictures.packed,
            "faces": len(desk.faces.items),
            "trash": len(desk.removed.items),
            "undo": desk.undo_count(),
            "corrects": self._correct is not None,
            "sorts": [kind.value for kind in SortKind],
            "measures": MEASURES,
            "text": text,
        }
        if where == TRASH:
            answer["reasons"] = [picture.removed_by for picture in pictures.items]
            answer["notes"] = [picture.reason for picture in pictures.items]
        self._send(answer, [])

    def _thumbnails(self, asked: Content) -> None:
        given = asked.get("names")
        names = cast(list[object], given) if isinstance(given, list) else []
        if not 0 < len(names) <= _MOST_THUMBNAILS:
            raise FacesetError("The page asked for no pictures, or too many at once; reload it.")
        where = _where(asked)
        jpegs = self._desk.thumbnails(where, names)
        ids = [self._id(one.key) for one in self._desk.pictures(where).chosen(names)]
        sizes = [len(jpeg) for jpeg in jpegs]
        self._send({"do": "thumbnails", "ids": ids, "sizes": sizes}, [b"".join(jpegs)])

    def _delete(self, asked: Content) -> None:
        n = self._desk.delete(asked.get("names"))
        note = f" {_DST}" if self._desk.side is Side.DST else ""
        self._list({"where": FACES}, text=f"{_faces(n)} moved to the trash.{note}")

    def _undo(self, asked: Content) -> None:
        names = self._desk.undo()
        text = f"{_faces(len(names))} brought back." if names else "There is nothing to undo."
        self._list(asked, text=text)

    def _restore(self, asked: Content) -> None:
        names = self._desk.restore(asked.get("names"))
        self._list({"where": TRASH}, text=f"{_faces(len(names))} brought back.")

    def _sort(self, asked: Content) -> None:
        text = self._desk.sort(str(asked.get("by")), progress=self._progress())
        self._list({"where": FACES}, text=text)

    def _look(self, asked: Content) -> None:
        look = self._desk.look(_where(asked), asked.get("name"))
        self._send({"do": "look", "name": look.name, "text": look.text}, [look.face, look.debug])

    def _landmarks(self, asked: Content) -> None:
        chosen = self._desk.faces.chosen(asked.get("names"))
        if self._correct is None or not chosen:
            raise FacesetError("There is nothing to correct here; select faces of the set.")
        self._correct([picture.name for picture in chosen], self._progress())
        self._list({"where": FACES}, text="Move the points below the gallery, then Save there.")

    def _measures(self, asked: Content) -> None:
        rows = self._desk.measures(progress=self._progress())
        nothing = dict.fromkeys(MEASURES, math.nan)
        names = [picture.name for picture in self._desk.faces.items]
        found = [rows.get(name, nothing) for name in names]
        self._send(
            {"do": "measures", "names": names, "measures": list(MEASURES)},
            [as_floats([row[kind] for row in found]).tobytes() for kind in MEASURES],
        )

    def _people(self, asked: Content) -> None:
        people = self._desk.people(progress=self._progress())
        groups = [{"number": one.number, "names": list(one.names)} for one in people]
        self._send({"do": "people", "groups": groups}, [])

    def _doubtful(self, asked: Content) -> None:
        found = self._desk.doubtful(progress=self._progress())
        groups: dict[str, list[list[str]]] = {}
        for face in found:
            groups.setdefault(face.check, []).append([face.name, face.reason])
        self._send({"do": "doubtful", "groups": groups}, [])

    def _id(self, key: str) -> int:
        """A short name for a file that stays when it is renamed or moved, for the page to keep."""
        return self._ids.setdefault(key, len(self._ids))

    def _progress(self) -> Progress:
        return PageProgress(lambda text: self._send({"do": "progress", "text": text}, []))


def _where(asked: Content) -> str:
    return TRASH if asked.get("where") == TRASH else FACES


def _faces(n: int) -> str:
    return "1 face is" if n == 1 else f"{n} faces are"
