# pyright: strict
"""What the plain gallery can show by itself: people and doubts among the faces, reasons in the trash."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from dflcolab.faceset.people import Person
from dflcolab.pipeline.clean_report import RemovedFace
from dflcolab.widgets.gallery_pictures import Picture, Pictures

EVERYTHING = ""
"""The group of all pictures."""


class Groups:
    """What was found out about pictures; it stays with their files when these are renamed."""

    def __init__(self) -> None:
        self._people: dict[str, str] = {}
        self._doubts: dict[str, tuple[str, str]] = {}

    def learn_people(self, people: Iterable[Person], faces: Pictures) -> None:
        """Take over who is who, by the names that the faces have now."""
        self._people = {
            picture.key: f"person {person.number}"
            for person in people
            for picture in faces.chosen(list(person.names))
        }

    def learn_doubts(self, doubtful: Sequence[RemovedFace], faces: Pictures) -> None:
        """Take over what `clean` would remove, worst first, by the names that the faces have now."""
        pictures = faces.chosen([face.name for face in doubtful])
        self._doubts = {
            picture.key: (f"doubtful: {face.check}", face.reason)
            for picture, face in zip(pictures, doubtful, strict=True)
        }

    def of(self, picture: Picture) -> list[str]:
        """Names of the groups that a picture is in."""
        if picture.removed_by:
            return [picture.removed_by]
        found = (self._people.get(picture.key), self._doubts.get(picture.key, (None,))[0])
        return [group for group in found if group is not None]

    def why(self, picture: Picture) -> str:
        """Why it lies in the trash or is doubtful; "" where nothing is known."""
        return picture.reason or self._doubts.get(picture.key, ("", ""))[1]

    def counted(self, pictures: Iterable[Picture]) -> list[tuple[str, int]]:
        """The groups of these pictures and how many are in each, the largest first."""
        return Counter(group for picture in pictures for group in self.of(picture)).most_common()

    def only(self, pictures: Sequence[Picture], group: str) -> list[Picture]:
        """Those of a group in their order; doubtful ones worst first."""
        if group == EVERYTHING:
            return list(pictures)
        found = [picture for picture in pictures if group in self.of(picture)]
        rank = {
            key: place
            for place, (key, (name, _)) in enumerate(self._doubts.items())
            if name == group
        }
        return sorted(found, key=lambda picture: rank.get(picture.key, 0))
