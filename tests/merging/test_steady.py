"""Faces steadied over time: less trembling, no lag, nothing across cuts, and the same from any start."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.config import from_mapping
from dflcolab.faces.face_type import FaceType
from dflcolab.merging.depth import face_size, nearest_last
from dflcolab.merging.faces_file import read_merged_faces
from dflcolab.merging.faces_of_frames import FacesOfFrames
from dflcolab.merging.frame_source import PictureFrames
from dflcolab.merging.job import MergeJob, PersonModel
from dflcolab.merging.look import Look
from dflcolab.merging.merger import merge_frames
from dflcolab.merging.networks import Networks
from dflcolab.merging.options import CompositeOptions
from dflcolab.merging.scene_cuts import scene_cuts
from dflcolab.merging.steady_landmarks import steady_landmarks
from dflcolab.merging.stretches import find_stretches, measure_jitter
from dflcolab.progress import Progress
from tests.merging.scenes import LANDMARKS, frame, green_face, moved
from tests.merging.test_merger import GreenPredictor

N = 24
STEMS = [f"{number:05d}" for number in range(1, N + 1)]
INDEX = {stem: number for number, stem in enumerate(STEMS)}


def wandering(seed: int = 0, *, noise: float = 1.5) -> FacesOfFrames:
    """A face that moves two pixels a frame and trembles."""
    random = np.random.default_rng(seed)
    found = FacesOfFrames()
    for number, stem in enumerate(STEMS):
        points = moved(LANDMARKS, (2 * number, 0)) + random.normal(0, noise, (68, 2))
        found.by_stem[stem] = [points.astype(np.float32)]
        found.names[stem] = [f"{stem}_0.jpg"]
    return found


def one_track(faces: FacesOfFrames) -> dict[str, str]:
    return {name: "t" for names in faces.names.values() for name in names}


def test_the_path_is_steadier_and_neither_late_nor_early():
    faces = wandering()
    stretches = find_stretches(faces, one_track(faces), INDEX, ())
    steady = steady_landmarks(faces, stretches, lambda _: 5)

    before, after = measure_jitter(faces, stretches), measure_jitter(steady, stretches)
    assert after.landmarks < 0.4 * before.landmarks
    assert before.triples == N - 2
    true = LANDMARKS + np.arange(N)[:, None, None] * np.array((2, 0))
    offset = np.stack([steady.by_stem[stem][0] for stem in STEMS]) - true
    # 68 points over the inner frames: the mean of a trembling of 1.5 px is known to 0.05 px.
    assert np.abs(offset[5:-5].mean(axis=(0, 1))).max() < 0.2


def test_nothing_is_smoothed_across_a_cut_or_a_gap():
    whole = wandering()
    parts = find_stretches(whole, one_track(whole), INDEX, {10})
    assert [len(stretch) for stretch in parts.all] == [10, 14]
    steady = steady_landmarks(whole, parts, lambda _: 6)

    first = FacesOfFrames(
        {stem: whole.by_stem[stem] for stem in STEMS[:10]},
        names={stem: whole.names[stem] for stem in STEMS[:10]},
    )
    alone = steady_landmarks(first, find_stretches(first, one_track(first), INDEX, ()), lambda _: 6)
    for stem in STEMS[:10]:
        np.testing.assert_array_equal(steady.by_stem[stem][0], alone.by_stem[stem][0])

    for stem in STEMS[12:17]:
        del whole.by_stem[stem], whole.names[stem]
    gap = find_stretches(whole, one_track(whole), INDEX, ())
    assert [len(stretch) for stretch in gap.all] == [12, 7]


def test_only_frames_that_ask_for_it_are_smoothed():
    faces = wandering()
    stretches = find_stretches(faces, one_track(faces), INDEX, ())
    steady = steady_landmarks(faces, stretches, lambda number: 4 if number >= 12 else 0)
    assert steady.by_stem[STEMS[3]][0] is faces.by_stem[STEMS[3]][0]
    assert not np.array_equal(steady.by_stem[STEMS[15]][0], faces.by_stem[STEMS[15]][0])


class Flickering:
    """A predictor whose brightness and mask jump from face to face."""

    resolution = 64
    face_type = FaceType.WHOLE

    def predict(self, faces, morphs):
        del morphs
        # What a face gets depends on the face alone: its number is in the corner of the frame.
        level = faces[:, 28:36, 28:36].mean(axis=(1, 2, 3))
        odd = (np.round(level * 1e4).astype(int) % 2).astype(np.float32)[:, None, None, None]
        one = green_face(64)
        swap = np.clip(one.swap[None] * 0.5 + 0.2 + 0.2 * odd, 0, 1).astype(np.float32)
        mask = np.clip(one.swap_mask[None] * (0.6 + 0.4 * odd), 0, 1).astype(np.float32)
        return swap, mask, mask


@pytest.fixture
def job(tmp_path: Path) -> MergeJob:
    for name in ("data_dst", "merged", "merged_mask"):
        (tmp_path / name).mkdir()
    faces = FacesOfFrames()
    picture = frame()
    random = np.random.default_rng(3)
    for stem in STEMS[:12]:
        grain = random.integers(0, 3, picture.shape, dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "data_dst" / f"{stem}.png"), cv2.add(picture, grain))
        faces.by_stem[stem] = [LANDMARKS]
        faces.names[stem] = [f"{stem}_0.jpg"]
    return MergeJob(
        frames=PictureFrames(sorted((tmp_path / "data_dst").iterdir())),
        faces=faces,
        networks=Networks(Flickering(), batch=4),
        model_identity="weights",
        look=Look(look()),
        folder=tmp_path / "merged",
        mask_folder=tmp_path / "merged_mask",
        stretches=find_stretches(faces, one_track(faces), INDEX, ()),
    )


def look(**options: int) -> CompositeOptions:
    return from_mapping(CompositeOptions, {"color_transfer_mode": "none", **options})


def merged(job: MergeJob) -> np.ndarray:
    return np.stack([cv2.imread(str(job.folder / f"{stem}.png")) for stem in STEMS[:12]]).astype(
        int
    )


def flicker(values: np.ndarray) -> float:
    """Mean second difference in time of the mean of a picture."""
    return float(np.abs(np.diff(values.mean(axis=(1, 2)), n=2, axis=0)).mean())


def test_masks_and_colors_flicker_less(job: MergeJob):
    merge_frames(job, progress=Progress())
    spot = (slice(None), slice(150, 170), slice(190, 230))  # the middle of the face
    before = flicker(merged(job)[spot])

    masks = [cv2.imread(str(job.mask_folder / f"{s}.png"), 0).astype(int) for s in STEMS[:12]]
    mask_before = flicker(np.stack(masks)[..., None])
    calm = dataclasses.replace(job, look=Look(look(smooth_masks=3, smooth_colors=4)))
    merge_frames(calm, progress=Progress())

    masks = [cv2.imread(str(job.mask_folder / f"{s}.png"), 0).astype(int) for s in STEMS[:12]]
    assert before > 10
    assert flicker(merged(job)[spot]) < 0.4 * before
    assert flicker(np.stack(masks)[..., None]) < 0.4 * mask_before


def test_a_part_of_the_frames_is_merged_as_in_the_whole_and_a_second_run_does_nothing(
    job: MergeJob, tmp_path: Path
):
    calm = dataclasses.replace(job, look=Look(look(smooth_masks=2, smooth_colors=4)))
    merge_frames(calm, progress=Progress())
    whole = merged(job)
    for name in ("part", "part_mask"):
        (tmp_path / name).mkdir()
    part = dataclasses.replace(
        calm, folder=tmp_path / "part", mask_folder=tmp_path / "part_mask", start=5, stop=8
    )

    counts = merge_frames(part, progress=Progress())

    assert (counts.merged, counts.kept, counts.total) == (3, 0, 3)
    assert len(list(part.folder.glob("*.png"))) == 3
    for number in (5, 6, 7):
        found = cv2.imread(str(part.folder / f"{STEMS[number]}.png"))
        np.testing.assert_array_equal(found, whole[number])
    (job.folder / f"{STEMS[6]}.png").unlink()
    again = merge_frames(calm, progress=Progress())
    assert (again.merged, again.kept) == (1, 11)
    np.testing.assert_array_equal(merged(job), whole)
    assert merge_frames(calm, progress=Progress()).kept == 12


def test_a_face_that_moves_makes_its_smoothed_neighbors_anew(job: MergeJob):
    calm = dataclasses.replace(job, look=Look(look(smooth_colors=2)))
    merge_frames(calm, progress=Progress())
    faces = FacesOfFrames(dict(job.faces.by_stem), [], job.faces.names)
    faces.by_stem[STEMS[6]] = [moved(LANDMARKS, (3, 0))]

    counts = merge_frames(dataclasses.replace(calm, faces=faces), progress=Progress())

    assert (counts.merged, counts.kept) == (5, 7)


def test_cuts_are_found_once_and_kept(tmp_path: Path):
    folder = tmp_path / "data_dst"
    folder.mkdir()
    for number in range(8):
        picture = frame() if number < 5 else frame() // 4
        cv2.imwrite(str(folder / f"{STEMS[number]}.png"), picture)
    frames = PictureFrames(sorted(folder.iterdir()))
    kept = tmp_path / "history" / "cuts.json"
    assert scene_cuts(frames, kept, progress=Progress()) == {0, 5}
    frames.walk = None  # a second look would fail
    assert scene_cuts(frames, kept, progress=Progress()) == {0, 5}


def two_faces(near: float) -> FacesOfFrames:
    """A face, and another one `near` times as large that overlaps it; the large one comes first."""
    found = FacesOfFrames()
    for stem in STEMS[:12]:
        found.by_stem[stem] = [moved(LANDMARKS, (40, 0), near), LANDMARKS]
        found.names[stem] = [f"{stem}_0.jpg", f"{stem}_1.jpg"]
    return found


def test_the_nearer_face_is_put_in_last_and_two_alike_do_not_change_places():
    faces = two_faces(1.4)
    tracks = {name: name[-5] for names in faces.names.values() for name in names}
    ordered = nearest_last(faces, find_stretches(faces, tracks, INDEX, ()))
    for stem in STEMS[:12]:
        assert ordered.names[stem] == [f"{stem}_1.jpg", f"{stem}_0.jpg"]
        sizes = [face_size(points) for points in ordered.by_stem[stem]]
        assert sizes[1] == pytest.approx(1.4 * sizes[0], rel=0.01)

    trembling = two_faces(1.02)
    for number, stem in enumerate(STEMS[:12]):
        scale = 1.04 if number % 3 == 0 else 1.0  # now and then the farther one seems larger
        trembling.by_stem[stem][1] = moved(LANDMARKS, (0, 0), scale)
    tracks = {name: name[-5] for names in trembling.names.values() for name in names}
    ordered = nearest_last(trembling, find_stretches(trembling, tracks, INDEX, ()))
    assert {tuple(names)[-1][-5] for names in ordered.names.values()} == {"0"}


def test_faces_of_two_people_get_their_own_models_of_any_size(job: MergeJob):
    class Red(Flickering):
        resolution = 32
        face_type = FaceType.FULL

        def predict(self, faces, morphs):
            del morphs
            red = np.zeros((len(faces), 32, 32, 3), np.float32)
            red[..., 2] = 1
            mask = np.ones((len(faces), 32, 32, 1), np.float32)
            return red, mask, mask

    faces = FacesOfFrames(
        {STEMS[0]: [moved(LANDMARKS, (-130, -40), 0.5), LANDMARKS]},
        [],
        {STEMS[0]: ["small.jpg", "large.jpg"]},
    )
    red = PersonModel("red", Networks(Red(), batch=2), "red 1")
    several = dataclasses.replace(
        job,
        faces=faces,
        networks=Networks(GreenPredictor(), batch=2),
        people={"small.jpg": red},
        start=0,
        stop=1,
        notes={"usual_model": "green"},
    )

    counts = merge_frames(several, progress=Progress())

    assert counts.faces == 2
    picture = cv2.imread(str(job.folder / f"{STEMS[0]}.png")).astype(int)
    middles = [np.round(points.mean(axis=0)).astype(int) for points in faces.by_stem[STEMS[0]]]
    colors = [picture[y - 4 : y + 4, x - 4 : x + 4].mean(axis=(0, 1)) for x, y in middles]
    assert colors[0].argmax() == 2  # red
    assert colors[1].argmax() == 1  # green
    kept = {face.name: (face.model, face.resolution) for face in read_merged_faces(job.folder)}
    assert kept == {"small.jpg": ("red", 32), "large.jpg": ("green", 64)}
    other = dataclasses.replace(red, identity="red 2")
    assert (
        merge_frames(
            dataclasses.replace(several, people={"small.jpg": other}), progress=Progress()
        ).merged
        == 1
    )
