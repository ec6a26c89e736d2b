# pyright: strict
"""The people in a faceset, found by grouping the identity vectors of its faces.

Groups grow from the most alike faces outwards: in every round all pairs of groups that are each
other's nearest are joined, as long as their middles are alike enough. A profile joins the
three-quarter views first and the front through them, because the middle of a group counts and not
one face of it. For the same reason a single odd face cannot chain two people together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from scipy import sparse  # pyright: ignore[reportMissingTypeStubs]
from scipy.sparse import csgraph  # pyright: ignore[reportMissingTypeStubs]

from dflcolab.faceset.identity import Vector

SAME_GROUP = 0.6
"""Cosine from which the middles of two groups count as one person.

Measured with the bundled network on 29 people (`benchmarks/bench_identity.py`): faces lie at 0.68 or
more of the middle of their own person, photographs of another day included (99 of 100 above 0.70),
those of strangers at 0.59 or less (99 of 100 below 0.51). Mixed sets come apart without a fault
with any limit from 0.60 to 0.72. The lowest of them is taken, because people differ more from
themselves in the field (years, profiles, bad light) than in that material. Two single faces may be
more alike than that: 0.62, and 0.65 for two women in one old photograph.
"""

_SURELY = 0.8
"""Cosine from which a group joins its nearest even if that one has a nearer one still.

Far above what two people reach, so nothing is chained by it; it keeps the number of rounds small
where thousands of faces have the same nearest one.
"""

_BLOCK = 1024

Table = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Person:
    """One person of a faceset.

    Attributes:
        number: 1 for the person with the most faces, and so on.
        names: File names of the faces, the most typical first.
        centre: Unit vector in the middle of the faces.
    """

    number: int
    names: tuple[str, ...]
    centre: Vector


def find_people(
    vectors: Mapping[str, Vector],
    *,
    groups: Mapping[str, str] | None = None,
    alike: float = SAME_GROUP,
) -> list[Person]:
    """Group faces by person.

    The result depends on the vectors only: not on the order of the faces, nor (but for faces of
    equal vectors) on their names. 10,000 faces take a few seconds; memory grows with their number.

    Args:
        vectors: Unit vector of every face, by file name.
        groups: Face name → name of its track (see `tracks`). The faces of a track stay together,
            so that a blurred or turned face follows its neighbours in time.
        alike: Cosine from which the middles of two groups are one person, -1..1.

    Returns:
        The people, the one with the most faces first; with equal numbers the order is arbitrary
        but always the same. Empty if there are no vectors.
    """
    if not vectors:
        return []
    names = sorted(vectors, key=lambda name: (vectors[name].tobytes(), name))
    table = np.stack([vectors[name] for name in names]).astype(np.float32)
    members = _joined(table, _starting_groups(names, groups or {}), alike)
    people = [_person([names[i] for i in rows], table[rows]) for rows in members]
    people.sort(key=lambda found: (-len(found[0]), found[1].tolist()))
    return [
        Person(number, tuple(faces), centre) for number, (faces, centre) in enumerate(people, 1)
    ]


def middle_of(vectors: Iterable[Vector]) -> Vector:
    """Unit vector in the middle of some faces; all zero if there are none or they cancel out."""
    rows = list(vectors)
    if not rows:
        return np.zeros(0, np.float32)
    return _unit(np.stack(rows).astype(np.float64).sum(axis=0, keepdims=True))[0]


def _person(names: list[str], rows: Table) -> tuple[list[str], Vector]:
    centre = middle_of(rows)
    typical = np.argsort(-(rows @ centre), kind="stable")
    return [names[i] for i in typical], centre


def _starting_groups(names: Sequence[str], groups: Mapping[str, str]) -> list[list[int]]:
    """Row numbers of the faces that belong together from the start; most stand alone."""
    found: dict[tuple[bool, str], list[int]] = {}
    for row, name in enumerate(names):
        key = (True, groups[name]) if name in groups else (False, name)
        found.setdefault(key, []).append(row)
    return list(found.values())


def _joined(table: Table, members: list[list[int]], alike: float) -> list[list[int]]:
    """Groups of row numbers after joining all that are alike enough."""
    sums = np.stack([table[rows].sum(axis=0, dtype=np.float64) for rows in members])
    while len(members) > 1:
        nearest, closeness = _nearest(_unit(sums))
        here = np.arange(len(members))
        mutual = (nearest[nearest] == here) & (closeness >= alike)
        edge = mutual | (closeness >= max(alike, _SURELY))
        if not edge.any():
            break
        links = sparse.coo_matrix(
            (edge[edge], (here[edge], nearest[edge])), shape=(len(here), len(here))
        )
        n_groups, labels = _components(links)
        merged = np.zeros((n_groups, sums.shape[1]), np.float64)
        np.add.at(merged, labels, sums)
        joined: list[list[int]] = [[] for _ in range(n_groups)]
        for rows, label in zip(members, labels.tolist(), strict=True):
            joined[label] += rows
        members, sums = joined, merged
    return members


def _components(links: Any) -> tuple[int, Indices]:
    """Number of connected parts of a graph, and the part of every node."""
    found = cast(
        tuple[int, Indices], cast(Any, csgraph).connected_components(links, directed=False)
    )
    return int(found[0]), found[1]


def _nearest(middles: Table) -> tuple[Indices, npt.NDArray[np.float32]]:
    """For every row the most alike other one, and how alike they are.

    Works through the table in blocks: the full table of likenesses would not fit for large sets.
    """
    n = len(middles)
    nearest = np.empty(n, np.int64)
    closeness = np.empty(n, np.float32)
    for start in range(0, n, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, n))
        alike = middles[rows] @ middles.T
        alike[rows - start, rows] = -np.inf
        nearest[rows] = alike.argmax(axis=1)
        closeness[rows] = alike[rows - start, nearest[rows]]
    return nearest, closeness


def _unit(rows: npt.NDArray[np.float64]) -> Table:
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return (rows / lengths).astype(np.float32)
