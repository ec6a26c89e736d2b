"""The resumable run, with a predictor that paints green."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.config import from_mapping
from dflcolab.errors import Interrupted, ModelError, StorageError, WorkspaceError
from dflcolab.faces.alignment import transform_points
from dflcolab.faces.conversion import between_crops
from dflcolab.faces.face_type import FaceType
from dflcolab.merging.composite import composite_frame
from dflcolab.merging.faces_of_frames import FacesOfFrames
from dflcolab.merging.frame_source import PictureFrames
from dflcolab.merging.job import MergeJob
from dflcolab.merging.look import Look, RangeOfFrames, Track
from dflcolab.merging.merger import merge_frames
from dflcolab.merging.networks import Networks, Question
from dflcolab.merging.options import CompositeOptions, MaskMode, Mode
from dflcolab.merging.preview import before_and_after
from dflcolab.progress import Progress
from tests.merging.scenes import LANDMARKS, WHOLE, frame, green_face, moved
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
        self.morphs: list[float] = []

    def predict(self, faces: np.ndarray, morphs: np.ndarray):
        assert faces.dtype == morphs.dtype == np.float32
        self.morphs += morphs.tolist()
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
        networks=Networks(GreenPredictor(), batch=4),
        model_identity="weights 1",
        look=Look(PLAIN),
        folder=tmp_path / "merged",
        mask_folder=tmp_path / "merged_mask",
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

    assert set(job.networks.predictor.batches) == {4}
    assert len(job.networks.predictor.batches) <= 4


def test_a_second_run_does_nothing(job: MergeJob):
    merge_frames(job, progress=Progress())
    before = _times(job)
    again = dataclasses.replace(job, networks=Networks(GreenPredictor(), batch=4))

    counts = merge_frames(again, progress=Progress())

    assert (counts.kept, counts.merged, counts.passed) == (N_FRAMES, 0, 0)
    assert again.networks.predictor.batches == []
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
        {"look": Look(from_mapping(CompositeOptions, {"erode_mask_modifier": 3}))},
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


def test_only_frames_whose_look_changed_are_made_anew(job: MergeJob):
    merge_frames(job, progress=Progress())
    # Frames 2 and 3 (one has no face) get a range, frames 6 to 8 a keyframe's growing value.
    look = Look(
        PLAIN,
        (RangeOfFrames(2, 4, (("blur_mask_modifier", 20),)),),
        (Track("erode_mask_modifier", (5, 8), (0, 30)), Track("morph", (7, 9), (1.0, 0.5))),
    )

    counts = merge_frames(dataclasses.replace(job, look=look), progress=Progress())

    assert (counts.kept, counts.merged, counts.passed) == (N_FRAMES - 5, 4, 1)
    assert sorted(set(job.networks.predictor.morphs) - {0.0, 1.0}) == [0.75]
    again = merge_frames(dataclasses.replace(job, look=look), progress=Progress())
    assert again.kept == N_FRAMES
    areas = [
        (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) > 127).sum()
        for path in sorted(job.mask_folder.glob("*.png"))
    ]
    assert areas[4] == areas[5] > areas[6] > areas[7] > areas[8]


class HalfSegmenter:
    """Finds the upper half of each crop; counts what it was shown."""

    def __init__(self, face_type: FaceType = FaceType.WHOLE, identity: str = "xseg 1") -> None:
        self.face_type = face_type
        self.identity = identity
        self.shown: list[np.ndarray] = []

    def predict(self, faces: np.ndarray) -> np.ndarray:
        assert faces.shape[1:] == (256, 256, 3)
        self.shown.append(faces)
        masks = np.zeros((len(faces), 256, 256, 1), np.float32)
        masks[:, :128] = 1
        return masks


def test_an_xseg_network_is_asked_in_batches_about_the_frames_that_want_it(job: MergeJob):
    xseg = from_mapping(CompositeOptions, {"color_transfer_mode": "none", "mask_mode": "XSeg-dst"})
    segmenter = HalfSegmenter()
    networks = Networks(GreenPredictor(), segmenter, batch=4)
    look = Look(xseg, (RangeOfFrames(6, None, (("mask_mode", MaskMode.FULL),)),))

    merge_frames(dataclasses.replace(job, networks=networks, look=look), progress=Progress())

    assert [len(faces) for faces in segmenter.shown] == [4] * len(segmenter.shown)
    assert len(segmenter.shown) <= 3  # six faces; none of the last three frames
    # The network saw the frame's face, not the green one.
    assert np.abs(segmenter.shown[0][0] - (0, 1, 0)).mean() > 0.2
    mask = cv2.imread(str(job.mask_folder / "00001.png"), cv2.IMREAD_UNCHANGED)
    x, y = LANDMARKS[30].astype(int)
    assert mask[y - 25, x] >= 254
    assert not mask[y + 25, x]


def test_other_xseg_weights_make_only_frames_anew_that_use_them(job: MergeJob):
    look = Look(PLAIN, (RangeOfFrames(0, 2, (("mask_mode", MaskMode.XSEG_PRD),)),))
    first = Networks(GreenPredictor(), HalfSegmenter(), batch=4)
    merge_frames(dataclasses.replace(job, networks=first, look=look), progress=Progress())
    other = Networks(GreenPredictor(), HalfSegmenter(identity="xseg 2"), batch=4)

    counts = merge_frames(dataclasses.replace(job, networks=other, look=look), progress=Progress())

    assert (counts.kept, counts.merged) == (N_FRAMES - 2, 2)


def test_an_xseg_network_of_another_face_type_sees_its_own_crops(job: MergeJob):
    """The swapped face lies in its surroundings, and the mask comes back to where it belongs."""
    options = from_mapping(CompositeOptions, {"mask_mode": "XSeg-prd*XSeg-dst"})
    segmenter = HalfSegmenter(FaceType.HEAD)
    networks = Networks(GreenPredictor(), segmenter, batch=2)

    (face,) = networks.answer([Question(frame(), LANDMARKS, options)])

    dst, swap = segmenter.shown[0]
    assert np.abs(swap[128, 128] - (0, 1, 0)).max() < 0.1
    np.testing.assert_allclose(swap[5, 128], dst[5, 128], atol=1e-5)
    # The head crop reaches higher than the whole-face one, so its middle lies above the middle here.
    rows = np.flatnonzero(face.prediction.dst_xseg[:, 128, 0] > 0.5)
    matrix = between_crops(LANDMARKS, FaceType.HEAD, 256, WHOLE, 256)
    assert rows[-1] == pytest.approx(transform_points([(128, 127.5)], matrix)[0][1], abs=4)


class Painter:
    """An enhancer that paints red."""

    identity = "red 1"

    def enhance(self, faces: np.ndarray) -> np.ndarray:
        count, size = faces.shape[:2]
        return np.broadcast_to(np.float32([0, 0, 1]), (count, 4 * size, 4 * size, 3))


def test_super_resolution_mixes_an_enhancers_face_in_or_enlarges_without_one(job: MergeJob):
    options = from_mapping(
        CompositeOptions, {"color_transfer_mode": "none", "super_resolution_power": 50}
    )
    nose = tuple(LANDMARKS[30].astype(int)[::-1])

    def color(enhancer: Painter | None) -> list[int]:
        networks = Networks(GreenPredictor(), enhancer=enhancer)
        faces = networks.answer([Question(frame(), LANDMARKS, options)])
        image, _ = composite_frame(frame(), faces, face_type=WHOLE, options=options)
        return image[nose].tolist()

    assert color(Painter()) == pytest.approx([0, 127, 127], abs=1)
    assert color(None) == pytest.approx([0, 255, 0], abs=1)


def test_the_preview_shows_a_frame_before_and_after_and_writes_nothing(job: MergeJob):
    look = Look(PLAIN, (RangeOfFrames(4, 5, (("mode", Mode.ORIGINAL),)),))
    job = dataclasses.replace(job, start=3, look=look)  # frame 3 has no face

    stem, picture = before_and_after(job)

    assert stem == "00005"
    height, width = frame().shape[:2]
    assert picture.shape == (height, 2 * width, 3)
    np.testing.assert_array_equal(picture[:, :width], picture[:, width:])
    _, changed = before_and_after(dataclasses.replace(job, look=Look(PLAIN)))
    assert (changed[:, :width] != changed[:, width:]).any()
    assert not list(job.folder.iterdir())


@pytest.mark.bad_day("preview-without-face", "preview-frame")
def test_a_preview_without_a_face_or_of_a_damaged_frame_is_one_sentence(job: MergeJob):
    with pytest.raises(WorkspaceError, match=r"no dst face in frame 3 .* --frames"):
        before_and_after(dataclasses.replace(job, start=3, stop=4))
    job.frames.paths[0].write_bytes(b"no picture")
    with pytest.raises(WorkspaceError, match=r"Frame 0 .* --frames"):
        before_and_after(job)


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
    small = dataclasses.replace(job, networks=Networks(GreenPredictor(), batch=1), threads=1)
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
        def predict(self, faces: np.ndarray, morphs: np.ndarray):
            swap, *masks = super().predict(faces, morphs)
            return np.full_like(swap, np.nan), *masks

    with pytest.raises(ModelError, match="weights are broken"):
        merge_frames(dataclasses.replace(job, networks=Networks(Broken())), progress=Progress())

    assert not _times(job)
