"""A model for each person: two people of the sample clips side by side in one video."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dflcolab.engine import predictor
from dflcolab.errors import ConfigError
from dflcolab.extraction.config import ExtractConfig
from dflcolab.faces.face_type import FaceType
from dflcolab.formats.dfl_jpeg import read_record
from dflcolab.media.config import EncodeConfig, VideoCodec
from dflcolab.media.encoders import choose_encoder
from dflcolab.media.frame_sequence import read_image
from dflcolab.media.video_reader import VideoReader
from dflcolab.media.video_writer import VideoWriter
from dflcolab.merging.config import MergeConfig
from dflcolab.pipeline.encode import encode
from dflcolab.pipeline.extract import extract
from dflcolab.pipeline.init import init
from dflcolab.pipeline.merge import merge
from dflcolab.pipeline.merge_people import PersonWish, read_people
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.workspace import Side, Workspace
from tests.material import STUDIO_WOMAN, WEBCAM_MAN, frame_of
from tests.merging.scenes import green_face
from tests.pipeline.test_encode import RIGHTS

N_FRAMES = 8
LOOK = ("mask_mode=full", "color_transfer_mode=none", "smooth_landmarks=3")


class Painted:
    """A trained model that paints one color."""

    resolution = 64
    face_type = FaceType.FULL
    iteration = 7

    def __init__(self, name: str) -> None:
        self.identity = name
        self._channel = {"blue": 0, "green": 1, "red": 2}[name]

    def predict(self, faces, morphs):
        del morphs
        swap = np.full((len(faces), 64, 64, 3), 0.1, np.float32)
        swap[..., self._channel] = 1
        one = green_face(64)
        masks = np.repeat(one.swap_mask[None], len(faces), axis=0)
        return swap, masks, masks


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    """Extracted faces of a video that shows the man on the left, the woman on the right."""
    root = tmp_path_factory.mktemp("two people")
    pairs = [
        np.hstack([frame_of(WEBCAM_MAN, k), frame_of(STUDIO_WOMAN, k)]) for k in range(N_FRAMES)
    ]
    height, width = pairs[0].shape[:2]
    with VideoWriter(root / "two.mp4", width=width, height=height, rate=Fraction(25), time_base=Fraction(1, 25),
                     encoder=choose_encoder(VideoCodec.H264)) as writer:  # fmt: skip
        for k, picture in enumerate(pairs):
            writer.write(picture, Fraction(k, 25))
    init(root / "w", InitConfig(dst=(root / "two.mp4",), **RIGHTS))
    found = Workspace.open(root / "w")
    extract(found, ExtractConfig(side=Side.DST, debug=False))
    return found


@pytest.fixture(autouse=True)
def painted(monkeypatch):
    """Training models takes minutes; which face gets which model does not depend on what it paints."""
    monkeypatch.setattr(predictor, "load_predictor", lambda path, **_: Painted(path.name))


def colors_of_faces(workspace: Workspace, stem: str) -> tuple[int, int]:
    """The channel that is strongest in the middle of the left and of the right face; -1: as before."""
    merged = read_image(workspace.merged_dir / f"{stem}.png").astype(int)
    original = next(VideoReader(workspace.videos(Side.DST)[0]).frames(int(stem) - 1)).image
    found = {}
    for path in workspace.aligned_dir(Side.DST).glob(f"{stem}_*.jpg"):
        x, y = np.round(read_record(path).source_landmarks.mean(axis=0)).astype(int)
        spot = (slice(y - 3, y + 3), slice(x - 3, x + 3))
        same = np.array_equal(merged[spot], original[spot])
        side = "left" if x < merged.shape[1] // 2 else "right"
        found[side] = -1 if same else int(merged[spot].mean(axis=(0, 1)).argmax())
    return found["left"], found["right"]


def person_number_of_the_man(workspace: Workspace) -> str:
    """1 or 2: both have as many faces, so the order is fixed but arbitrary."""
    report = merge(workspace, MergeConfig(person=("1=red",), set=LOOK, frames="0:1"))
    assert report.people == {"1 (red)": N_FRAMES}
    left, right = colors_of_faces(workspace, "00001")
    assert sorted((left, right)) == [-1, 2]
    return "1" if left == 2 else "2"


def test_each_person_gets_a_model_and_others_stay_as_they_are(workspace: Workspace):
    man = person_number_of_the_man(workspace)
    woman = "2" if man == "1" else "1"

    both = merge(workspace, MergeConfig(person=(f"{man}=blue", f"{woman}=green"), set=LOOK))

    assert both.model == "blue + green"
    assert both.people == {f"{man} (blue)": N_FRAMES, f"{woman} (green)": N_FRAMES}
    assert (both.merged, both.faces) == (N_FRAMES, 2 * N_FRAMES)
    for number in range(N_FRAMES):
        assert colors_of_faces(workspace, f"{number + 1:05d}") == (0, 1)
    assert both.jitter_after.landmarks < both.jitter_before.landmarks
    assert "Trembling of the landmarks" in both.summary()

    others = merge(workspace, MergeConfig(model="red", person=(f"{man}=blue",), set=LOOK))
    assert colors_of_faces(workspace, "00003") == (0, 2)
    assert others.merged == N_FRAMES

    report = encode(workspace, EncodeConfig(export=("transforms",), mask=False))
    assert "blue" in report.exports[0].path.read_text()


def test_a_picture_of_the_person_serves_as_a_name(workspace: Workspace, tmp_path: Path):
    picture = tmp_path / "a=b.png"
    from dflcolab.media.frame_sequence import write_image

    write_image(picture, frame_of(WEBCAM_MAN, 60))
    merge(workspace, MergeConfig(person=(f"{picture}=green",), set=LOOK, frames="0:2"))
    assert colors_of_faces(workspace, "00002") == (1, -1)
    with pytest.raises(ConfigError, match="are the same person"):
        man = person_number_of_the_man(workspace)
        merge(workspace, MergeConfig(person=(f"{picture}=green", f"{man}=red"), set=LOOK))


def test_what_is_not_understood_is_one_sentence(workspace: Workspace):
    assert read_people(["1=a", "face.jpg=b"]) == [PersonWish("1", "a"), PersonWish("face.jpg", "b")]
    with pytest.raises(ConfigError, match="not of the form NAME=MODEL; write 1=first"):
        read_people(["first"])
    with pytest.raises(ConfigError, match="The person 1 gets two models"):
        read_people(["1=a", "1=b"])
    with pytest.raises(ConfigError, match="not said which model"):
        MergeConfig()
    with pytest.raises(ConfigError, match="There is no person 9"):
        merge(workspace, MergeConfig(person=("9=red",), set=LOOK))
