# pyright: strict
"""Which of the people in a faceset are wanted, and whose faces are foreign therefore.

What the user names (the person seen most, a number, pictures) leads to a group of faces first, and
the group decides, not the picture: one photograph is a poor measure for a profile in bad light, a
few hundred faces of the same person are a good one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dflcolab.faceset.identity import SAME_PERSON, Vector
from dflcolab.faceset.people import SAME_GROUP, Person, find_people, middle_of
from dflcolab.faceset.tracks import track_vectors

_STEPS_APART = 0.05


@dataclass(frozen=True, eq=False)
class IdentityVerdict:
    """Who is wanted and who is not.

    Attributes:
        people: Everybody, the one seen most first.
        wanted: Numbers of the people who stay; empty if nobody looks like the references.
        likeness: Cosine of every face to the nearest of the wanted, as its track shows it.
        foreign: The faces of everybody else, the least like first.
        best: The best likeness of anybody to the references; 1 where there are none.
    """

    people: tuple[Person, ...]
    wanted: tuple[int, ...]
    likeness: dict[str, float]
    foreign: tuple[str, ...]
    best: float = 1.0

    @property
    def centres(self) -> list[Vector]:
        """Middles of the wanted people, for recognising them another time."""
        return [person.centre for person in self.people if person.number in self.wanted]


def judge_identity(
    vectors: Mapping[str, Vector],
    tracks: Mapping[str, str],
    *,
    number: int | None = None,
    references: Sequence[Vector] = (),
    threshold: float = SAME_GROUP,
) -> IdentityVerdict:
    """Tell the faces of the wanted person from those of all others.

    Args:
        vectors: Unit identity vector of every face, at least one, by file name.
        tracks: Face → track (see `tracks.find_tracks`); a track stays or goes as a whole.
        number: Number of the wanted person; without it and without references the first.
        references: Unit vectors of the wanted person from elsewhere; they may differ among each
            other (beard, age), every group of faces that is like one of them is wanted.
        threshold: Cosine from which the middles of two groups of faces are one person.
    """
    steady = track_vectors(tracks, vectors)
    grouped = {name: tracks[name] for name in vectors if name in tracks}
    people = find_people(vectors, groups=grouped, alike=threshold)
    if references:
        wanted, best = _like(people, references, min(threshold, SAME_GROUP))
    else:
        wanted, best = (1 if number is None else number,), 1.0
    chosen = [person for person in people if person.number in wanted]
    if not chosen:
        return IdentityVerdict(tuple(people), (), {}, (), best)
    middles = np.stack([person.centre for person in chosen])
    likeness = {name: float((middles @ vector).max()) for name, vector in steady.items()}
    # Faces without a vector of their own follow their track.
    kept_names = {name for person in chosen for name in person.names}
    kept_tracks = {tracks[name] for name in kept_names if name in tracks}
    foreign = [
        name
        for name in steady
        if name not in kept_names
        and tracks.get(name) not in kept_tracks
        and likeness[name] < threshold
    ]
    foreign.sort(key=lambda name: (likeness[name], name))
    return IdentityVerdict(tuple(people), wanted, likeness, tuple(foreign), best)


def _like(
    people: Sequence[Person], references: Sequence[Vector], threshold: float
) -> tuple[tuple[int, ...], float]:
    """Numbers of the people that look like a reference, and the best likeness.

    If nobody reaches the threshold, the nearest person is taken where a single pair of faces would
    count as the same one and nobody else comes close.
    """
    rows = np.stack([*references, middle_of(references)])
    scores = sorted(
        ((float((rows @ person.centre).max()), person.number) for person in people), reverse=True
    )
    best, nearest = scores[0]
    wanted = tuple(sorted(number for score, number in scores if score >= threshold))
    if wanted:
        return wanted, best
    second = scores[1][0] if len(scores) > 1 else -1.0
    clear = best >= min(SAME_PERSON, threshold) and best - second >= _STEPS_APART
    return ((nearest,) if clear else ()), best
