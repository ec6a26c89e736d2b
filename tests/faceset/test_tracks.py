"""Faces are followed through a video, across bad frames but not across cuts."""

from __future__ import annotations

import numpy as np
import pytest

from dflcolab.faces.face_record import FaceRecord
from dflcolab.faceset.person_choice import judge_identity
from dflcolab.faceset.tracks import find_tracks, track_vectors

ANN, BOB, NOBODY = (np.eye(32, dtype=np.float32)[axis] for axis in range(3))
LEFT, RIGHT = (200.0, 300.0), (700.0, 300.0)


def face(frame: str, place: tuple[float, float], *, size: float = 100.0, **provenance):
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (68, 2))
    points = (points * size + place).astype(np.float32)
    return FaceRecord(
        landmarks=points,
        source_landmarks=points,
        source_filename=frame,
        extra={"dflcolab": provenance} if provenance else {},
    )


def like(person: np.ndarray, seed: int, noise: float = 0.05) -> np.ndarray:
    vector = person + np.random.default_rng(seed).normal(0, noise, 32)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def two_people(n: int, step: int = 1):
    """Ann on the left and Bob on the right in every frame, both wandering a little."""
    records, vectors = {}, {}
    for k in range(n):
        drift = 3.0 * k
        number = 1 + k * step
        for side, person, who in ((LEFT, ANN, "a"), (RIGHT, BOB, "b")):
            name = f"{number:05d}_{who}.jpg"
            records[name] = face(f"{number:05d}.png", (side[0] + drift, side[1]))
            vectors[name] = like(person, number)
    return records, vectors


def people_of(tracks: dict[str, str]) -> dict[str, set[str]]:
    """The letters of the faces in each track."""
    found: dict[str, set[str]] = {}
    for name, track in tracks.items():
        found.setdefault(track, set()).add(name[-5])
    return found


@pytest.mark.parametrize("with_vectors", [True, False])
def test_two_people_side_by_side_are_two_tracks(with_vectors: bool):
    records, vectors = two_people(20)

    tracks = find_tracks(records, vectors if with_vectors else None)

    assert people_of(tracks) == {"00001_a.jpg": {"a"}, "00001_b.jpg": {"b"}}
    assert len(tracks) == 40


def test_a_few_missing_frames_do_not_end_a_track():
    records, vectors = two_people(20)
    for number in (7, 8):
        del records[f"{number:05d}_a.jpg"]

    assert len(set(find_tracks(records, vectors).values())) == 2


def test_thinned_frames_are_linked_by_likeness():
    records, vectors = two_people(12, step=8)
    for k, name in enumerate(sorted(name for name in records if name.endswith("_a.jpg"))):
        # Ann walks: half a face from one kept frame to the next.
        records[name] = face(name[:5] + ".png", (100.0 + 50.0 * k, 300.0))

    assert len(set(find_tracks(records, vectors).values())) == 2
    assert len(set(find_tracks(records).values())) > 2  # by place alone nobody could tell


def test_bad_frames_follow_their_track():
    records, vectors = two_people(20)
    bad = [f"{number:05d}_b.jpg" for number in (1, 2, 9, 10, 19, 20)]
    for seed, name in enumerate(bad):
        vectors[name] = like(NOBODY, seed)

    tracks = find_tracks(records, vectors)

    assert {tracks[name] for name in bad} == {"00001_b.jpg"}


def test_a_cut_to_another_person_in_the_same_place_ends_a_track():
    records = {f"{n:05d}_x.jpg": face(f"{n:05d}.png", LEFT) for n in range(1, 21)}
    vectors = {name: like(ANN if int(name[:5]) <= 11 else BOB, k) for k, name in enumerate(records)}

    tracks = find_tracks(records, vectors)

    assert sorted(set(tracks.values())) == ["00001_x.jpg", "00012_x.jpg"]
    assert tracks["00011_x.jpg"] == "00001_x.jpg"


def test_people_who_cross_keep_their_tracks():
    records, vectors = {}, {}
    for n in range(1, 31):
        for who, x, person in (("a", 150.0 + 20 * n, ANN), ("b", 750.0 - 20 * n, BOB)):
            name = f"{n:05d}_{who}.jpg"
            records[name] = face(f"{n:05d}.png", (x, 300.0))
            vectors[name] = like(person, n)

    assert all(len(letters) == 1 for letters in people_of(find_tracks(records, vectors)).values())


def test_two_videos_are_never_linked():
    records = {f"{prefix}{n:05d}_x.jpg": face(f"{prefix}{n:05d}.png", LEFT)
               for prefix in ("", "2-") for n in range(1, 6)}  # fmt: skip

    assert len(set(find_tracks(records).values())) == 2


def test_photographs_have_no_tracks():
    holiday = {f"IMG_{n}.jpg": face(f"IMG_{n}.jpg", LEFT) for n in range(10, 20)}
    named = {"ann.jpg": face("ann.jpg", LEFT), "bob.jpg": face("bob.jpg", LEFT)}

    assert find_tracks(holiday | named) == {}


def test_pre_cropped_pictures_of_many_people_are_no_video():
    # All faces lie in one place, and the files are numbered: as frames are.
    rng = np.random.default_rng(0)
    records = {f"{n:06d}.jpg": face(f"{n:06d}.jpg", LEFT) for n in range(1, 41)}
    vectors = {name: like(rng.normal(0, 1, 32), n) for n, name in enumerate(records)}

    assert find_tracks(records, vectors) == {}


def test_faces_without_a_place_take_no_part():
    records, vectors = two_people(5)
    lost = "00003_a.jpg"
    records[lost] = records[lost].replace(source_landmarks=None)
    broken = "00004_a.jpg"
    records[broken] = records[broken].replace(source_landmarks=np.full((68, 2), np.nan))

    tracks = find_tracks(records, vectors)

    assert lost not in tracks
    assert broken not in tracks
    assert tracks["00005_a.jpg"] == "00001_a.jpg"


def test_the_box_does_where_landmarks_of_the_frame_are_missing():
    records, vectors = two_people(6)
    for name, record in records.items():
        points = record.source_landmarks
        assert points is not None
        box = np.array([*points.min(axis=0), *points.max(axis=0)]).round().astype(np.int64)
        records[name] = record.replace(source_landmarks=None, source_rect=box)

    assert len(set(find_tracks(records, vectors).values())) == 2


def test_the_identity_of_a_track_is_that_of_its_good_frames():
    vectors = {f"{n}.jpg": like(ANN if n < 6 else NOBODY, n) for n in range(9)}
    tracks = dict.fromkeys([*vectors, "unread.jpg"], "0.jpg")

    found = track_vectors(tracks, vectors | {"other.jpg": BOB})

    assert float(found["8.jpg"] @ ANN) > 0.95
    assert float(found["unread.jpg"] @ ANN) > 0.95
    assert found["other.jpg"] is BOB


def test_the_others_go_as_whole_tracks_and_nobody_else():
    records, vectors = two_people(30)
    for seed, number in enumerate((5, 6, 17)):
        vectors[f"{number:05d}_a.jpg"] = like(NOBODY, seed)  # Ann is not to be recognised
        vectors[f"{number:05d}_b.jpg"] = like(ANN, seed, 0.3)  # Bob happens to look like her
    tracks = find_tracks(records, vectors)

    verdict = judge_identity(vectors, tracks, references=[ANN])

    assert sorted(verdict.foreign) == sorted(name for name in records if name.endswith("_b.jpg"))
    alone = judge_identity(vectors, {}, references=[ANN])
    assert set(alone.foreign) != set(verdict.foreign)


def test_nobody_like_the_reference_is_nobody_wanted():
    _, vectors = two_people(5)

    verdict = judge_identity(vectors, {}, references=[NOBODY])

    assert (verdict.wanted, verdict.foreign) == ((), ())
    assert verdict.best < 0.5


def test_several_references_keep_all_groups_that_are_like_one_of_them():
    _, vectors = two_people(6)
    vectors |= {f"{n}_n.jpg": like(NOBODY, n) for n in range(4)}

    verdict = judge_identity(vectors, {}, references=[ANN, NOBODY])

    assert {name[-5] for name in verdict.foreign} == {"b"}


def test_a_person_is_chosen_by_number():
    _, vectors = two_people(6)
    vectors |= {f"{n}_n.jpg": like(NOBODY, n) for n in range(4)}

    verdict = judge_identity(vectors, {}, number=3)

    assert {name[-5] for name in verdict.foreign} == {"a", "b"}
    assert judge_identity(vectors, {}, number=4).wanted == ()
