"""Faces are grouped by person, whatever their order, and nobody is chained to somebody else."""

from __future__ import annotations

import time

import numpy as np
import pytest

from dflcolab.faceset.people import SAME_GROUP, find_people, middle_of


def unit(vector: np.ndarray) -> np.ndarray:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def turned(degrees: float, axis: int = 1, dims: int = 16) -> np.ndarray:
    """A vector in the plane of the first axis and another one."""
    vector = np.zeros(dims)
    vector[0], vector[axis] = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return unit(vector)


def faces_of(person: np.ndarray, n: int, spread: float, seed: int, name: str):
    rng = np.random.default_rng(seed)
    return {
        f"{name}{number:03d}.jpg": unit(person + rng.normal(0, spread, len(person)))
        for number in range(n)
    }


def test_people_come_out_with_the_one_seen_most_first():
    ann, bob, eve = np.eye(64)[:3]
    vectors = (
        faces_of(bob, 9, 0.05, 1, "b") | faces_of(ann, 20, 0.05, 0, "a") | {"e.jpg": unit(eve)}
    )

    people = find_people(vectors)

    assert [person.number for person in people] == [1, 2, 3]
    assert [len(person.names) for person in people] == [20, 9, 1]
    assert all(name.startswith("a") for name in people[0].names)
    assert people[0].centre @ ann > 0.98


def test_the_most_typical_face_is_named_first():
    vectors = {"odd.jpg": turned(40), "left.jpg": turned(-8), "right.jpg": turned(8)}

    person = find_people(vectors)[0]

    assert person.names[-1] == "odd.jpg"
    likeness = [float(vectors[name] @ person.centre) for name in person.names]
    assert likeness == sorted(likeness, reverse=True)


def test_a_profile_belongs_to_its_person_through_the_views_between():
    # 0 to 70 degrees apart: the two ends alone are no more alike (0.34) than two strangers.
    vectors = {f"{angle:02d}.jpg": turned(angle) for angle in range(0, 75, 5)}

    assert len(find_people(vectors)) == 1
    assert len(find_people({name: vectors[name] for name in ("00.jpg", "70.jpg")})) == 2


def test_a_face_between_two_people_does_not_chain_them_together():
    ann, bob = turned(0), turned(75)
    vectors = (
        faces_of(ann, 10, 0.03, 0, "a") | faces_of(bob, 10, 0.03, 1, "b") | {"x.jpg": turned(37)}
    )

    people = find_people(vectors)

    assert sorted(len(person.names) for person in people if len(person.names) > 1) in (
        [10, 10],
        [10, 11],
    )


def test_the_order_of_the_faces_and_their_names_do_not_matter():
    rng = np.random.default_rng(5)
    vectors = {f"{n:03d}.jpg": unit(rng.normal(0.6, 1, 24)) for n in range(120)}
    shuffled = {name: vectors[name] for name in rng.permutation(sorted(vectors))}
    renamed = {f"z{999 - int(name[:3])}.jpg": vector for name, vector in vectors.items()}

    first, again, other = find_people(vectors), find_people(shuffled), find_people(renamed)

    assert [person.names for person in first] == [person.names for person in again]
    back = [tuple(f"{999 - int(name[1:4]):03d}.jpg" for name in person.names) for person in other]
    assert [person.names for person in first] == back


def test_the_faces_of_a_track_stay_together():
    ann, bob = np.eye(64)[:2]
    vectors = faces_of(ann, 8, 0.02, 0, "a") | faces_of(bob, 5, 0.02, 1, "b")
    vectors["dark.jpg"] = unit(np.eye(64)[5])  # a bad frame of Bob that looks like nobody
    tracks = {name: "b" for name in vectors if name[0] in "bd"}

    people = find_people(vectors, groups=tracks)

    assert [sorted(name[0] for name in person.names) for person in people] == [
        ["a"] * 8,
        ["b"] * 5 + ["d"],
    ]
    assert people[1].names[-1] == "dark.jpg"


def test_no_faces_are_no_people():
    assert find_people({}) == []
    assert len(middle_of([])) == 0


def test_one_face_is_one_person():
    person = find_people({"only.jpg": turned(10)})[0]

    assert (person.number, person.names) == (1, ("only.jpg",))


def test_two_groups_join_exactly_at_the_limit():
    angle = float(np.degrees(np.arccos(SAME_GROUP)))

    assert len(find_people({"a": turned(0), "b": turned(angle - 1)})) == 1
    assert len(find_people({"a": turned(0), "b": turned(angle + 1)})) == 2


@pytest.mark.parametrize("n_people", [3, 400])
def test_thousands_of_faces_take_seconds(n_people: int):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(n_people, 256))
    rows = centres[np.arange(2000) % n_people] + rng.normal(0, 0.5, (2000, 256))
    vectors = {f"{n:05d}.jpg": unit(row) for n, row in enumerate(rows)}

    start = time.perf_counter()
    people = find_people(vectors)

    assert len(people) == n_people
    # About 0.2 s on two quiet cores; a walk over all pairs in Python would take many minutes.
    assert time.perf_counter() - start < 30
