"""The resumable run, with a predictor that paints green."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.config import from_mapping
from dflcolab.errors import Interrupted, ModelError, StorageError
from dflcolab.faces.face_type import FaceType
from dflcolab.merging.config import CompositeOptions
from dflcolab.merging.faces_of_frames import FacesOfFrames
from dflcolab.merging.frame_source import PictureFrames
from dflcolab.merging.merger import MergeJob, merge_frames
from dflcolab.progress import Progress
from tests.merging.scenes import LANDMARKS, frame, green_face, moved
from tests.stopping import StopAfter
from tests.troubleshooting.said import said

N_FRAMES = 9
WITHOUT_FACE = "00004"
PLAIN = from_mapping(CompositeOptions, {"color_transfer_mode": "none"})


class GreenPredictor:
    """Answers every face with green; counts what it was asked."""

    resolution = 64
    face_type = FaceType.WHOLE

    def __init__(self) -> None:
        self.batches: list[int] = []

    def predict(self, faces: np.ndarray):
        assert faces.dtype == np.float32
        self.batches.append(len(faces))
        one = green_face(self.resolution)
        return tuple(
            np.repeat(values[None], len(faces), axis=0)
            for values in (one.swap, one.swap_mask, one.dst_mask)
        )


@pytest.fixture
def job(tmp_path: Path) -> MergeJob:
    """Nine frames, one of them without a face, one with two."""
    for name in ("data_dst", "merged", "merged_mask"):
        (tmp_path / name).mkdir()
    faces = FacesOfFrames()
    for number in range(1, N_FRAMES + 1):
        stem = f"{number:05d}"
        picture = frame()
        picture[:10, :10] = number
        cv2.imwrite(str(tmp_path / "data_dst" / f"{stem}.png"), picture)
        if stem != WITHOUT_FACE:
            faces.by_stem[stem] = [LANDMARKS]
    faces.by_stem["00002"].append(moved(LANDMARKS, (-130, -40), 0.5))
    return MergeJob(
        frames=PictureFrames(sorted((tmp_path / "data_dst").iterdir())),
        faces=faces,
        predictor=GreenPredictor(),
        model_identity="weights 1",
        options=PLAIN,
        folder=tmp_path / "merged",
        mask_folder=tmp_path / "merged_mask",
        batch=4,
    )


def _picture(job: MergeJob, stem: str) -> np.ndarray:
    return cv2.imread(str(job.folder / f"{stem}.png"))


def _times(job: MergeJob) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in job.folder.glob("*.png")}


def test_every_frame_gets_a_picture_and_a_mask(job: MergeJob):
    counts = merge_frames(job, progress=Progress())

    assert (counts.merged, counts.passed, counts.faces) == (8, 1, 9)
    names = [f"{number:05d}.png" for number in range(1, N_FRAMES + 1)]
    assert sorted(path.name for path in job.folder.glob("*.png")) == names
    assert sorted(path.name for path in job.mask_folder.glob("*.png")) == names
    mask = cv2.imread(str(job.mask_folder / "00001.png"), cv2.IMREAD_UNCHANGED)
    assert mask.shape == frame().shape[:2]
    assert mask.max() >= 254


def test_a_frame_without_faces_has_identical_pixels(job: MergeJob):
    merge_frames(job, progress=Progress())

    original = cv2.imread(str(job.frames.paths[3]))
    assert np.array_equal(_picture(job, WITHOUT_FACE), original)
    assert not cv2.imread(str(job.mask_folder / f"{WITHOUT_FACE}.png")).any()


def test_each_frame_keeps_its_own_picture(job: MergeJob):
    merge_frames(job, progress=Progress())

    assert [_picture(job, f"{n:05d}")[5, 5, 0] for n in range(1, N_FRAMES + 1)] == list(
        range(1, N_FRAMES + 1)
    )


def test_batches_always_have_the_same_size(job: MergeJob):
    merge_frames(job, progress=Progress())

    assert set(job.predictor.batches) == {4}
    assert len(job.predictor.batches) <= 4


def test_a_second_run_does_nothing(job: MergeJob):
    merge_frames(job, progress=Progress())
    before = _times(job)
    again = dataclasses.replace(job, predictor=GreenPredictor())

    counts = merge_frames(again, progress=Progress())

    assert (counts.kept, counts.merged, counts.passed) == (N_FRAMES, 0, 0)
    assert again.predictor.batches == []
    assert _times(job) == before


class _Listener(Progress):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)
        said(text)


@pytest.mark.bad_day("merged-anew")
@pytest.mark.parametrize(
    "change",
    [
        {"model_identity": "weights 2"},
        {"options": from_mapping(CompositeOptions, {"erode_mask_modifier": 3})},
        {"stamp": lambda data, name, n_faces: data},
    ],
    ids=["weights", "look", "signing"],
)
def test_other_weights_or_another_look_make_all_frames_anew_after_a_sentence(job: MergeJob, change):
    merge_frames(job, progress=Progress())
    listener = _Listener()

    counts = merge_frames(dataclasses.replace(job, **change), progress=listener)

    assert counts.kept == 0
    assert f"{N_FRAMES} frames were merged with other settings" in listener.messages[0]


def test_a_face_that_was_deleted_is_left_alone_and_only_its_frame_made_anew(job: MergeJob):
    merge_frames(job, progress=Progress())
    del job.faces.by_stem["00006"]

    counts = merge_frames(job, progress=Progress())

    assert (counts.kept, counts.merged, counts.passed) == (N_FRAMES - 1, 0, 1)
    assert np.array_equal(_picture(job, "00006"), cv2.imread(str(job.frames.paths[5])))


def test_one_of_two_faces_deleted_leaves_that_face_alone(job: MergeJob):
    removed = job.faces.by_stem["00002"].pop()

    merge_frames(job, progress=Progress())

    nose = tuple(removed[30].astype(int)[::-1])
    original = cv2.imread(str(job.frames.paths[1]))
    assert np.array_equal(_picture(job, "00002")[nose], original[nose])


def test_a_range_touches_only_its_frames(job: MergeJob):
    counts = merge_frames(dataclasses.replace(job, start=2, stop=5), progress=Progress())

    assert counts.total == 3
    assert sorted(_times(job)) == ["00003.png", "00004.png", "00005.png"]


@pytest.mark.bad_day("merge-stopped")
def test_stopping_keeps_what_is_finished_and_goes_on_later(job: MergeJob):
    small = dataclasses.replace(job, batch=1, threads=1)
    with pytest.raises(Interrupted, match="run the same command again"):
        merge_frames(small, progress=StopAfter(2))
    n_finished = len(_times(job))
    assert 2 <= n_finished < N_FRAMES

    counts = merge_frames(small, progress=Progress())

    assert counts.kept == n_finished
    assert counts.total == N_FRAMES


def test_an_error_while_writing_keeps_the_other_frames(job: MergeJob):
    def full_disk(data: bytes, name: str, n_faces: int) -> bytes:
        if name == "00005.png":
            raise StorageError("The disk is full.")
        return data

    with pytest.raises(StorageError, match="full"):
        merge_frames(dataclasses.replace(job, stamp=full_disk), progress=Progress())

    assert not list(job.folder.glob(".*"))
    finished = len(_times(job))
    counts = merge_frames(
        dataclasses.replace(job, stamp=lambda data, name, n_faces: data), progress=Progress()
    )
    assert counts.kept == finished >= 4
    assert counts.total == N_FRAMES


def test_faces_of_frames_that_do_not_exist_are_told(job: MergeJob):
    job.faces.by_stem["00077"] = [LANDMARKS]

    assert merge_frames(job, progress=Progress()).unmatched == ["00077"]


@pytest.mark.bad_day("weights-broken")
def test_a_model_that_answers_with_no_numbers_is_one_sentence(job: MergeJob):
    class Broken(GreenPredictor):
        def predict(self, faces: np.ndarray):
            swap, *masks = super().predict(faces)
            return np.full_like(swap, np.nan), *masks

    with pytest.raises(ModelError, match="weights are broken"):
        merge_frames(dataclasses.replace(job, predictor=Broken()), progress=Progress())

    assert not _times(job)
