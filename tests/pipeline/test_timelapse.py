"""The previews as a video: signed, in order, of one size, the iteration written below."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dflcolab.errors import Interrupted, ModelError, RightsError
from dflcolab.faceset.report_config import ReportConfig
from dflcolab.media.provenance import SOURCE_TYPE, read_provenance
from dflcolab.media.video_reader import VideoReader
from dflcolab.pipeline.any_report import any_report
from dflcolab.pipeline.init import init
from dflcolab.pipeline.timelapse import TimelapseReport, fitted, timelapse
from dflcolab.progress import Progress
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.workspace import RightsBasis, Workspace
from tests.pipeline.pasts import give_past, picture


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    rights = RightsBasis.LICENSED
    init(tmp_path / "w", InitConfig(src_rights=rights, dst_rights=rights))
    return Workspace.open(tmp_path / "w")


def _frames(path: Path) -> list[np.ndarray]:
    reader = VideoReader(path)
    return [frame.image for frame in reader.frames()]


def test_previews_become_a_signed_video(workspace: Workspace):
    give_past(workspace, "m", previews=range(100, 1300, 100), saves=(1200,))
    folder = workspace.history_dir / "m"
    (folder / "preview-000000300.jpg").write_bytes(picture(300, (200, 200)))  # an older grid
    (folder / "preview-000000500.jpg").write_bytes(b"\xff\xd8 cut off")

    found = any_report(workspace, ReportConfig(timelapse="m"))

    assert isinstance(found, TimelapseReport)
    assert (found.frames, found.first, found.last) == (11, 100, 1200)
    assert len(found.problems) == 1
    assert "preview-000000500.jpg" in found.problems[0]
    frames = _frames(found.path)
    assert len(frames) == 11
    assert {frame.shape for frame in frames} == {(found.height, found.width, 3)}
    # Each frame is that of its preview: a plain grey that differs by 100 from one to the next.
    levels = [int(np.median(frame[:100])) for frame in frames]
    wanted = [40 + i % 160 for i in range(100, 1300, 100) if i != 500]
    wanted[2] = 24  # a square preview leaves more border than picture
    # H.264 at its usual quality changes even fields by a few levels of 255.
    assert np.abs(np.array(levels) - wanted).max() <= 6
    reader = VideoReader(found.path)
    assert float(reader.info.duration_s) == pytest.approx(found.seconds, abs=0.3)
    note = read_provenance(found.path)
    assert note is not None
    assert (note.state, note.source_type) == ("valid", SOURCE_TYPE)
    assert not list(folder.glob(".*"))
    assert "signed" in found.summary()


def test_the_iteration_is_in_the_lower_right_corner_and_covers_nothing():
    preview = np.full((128, 320, 3), 90, np.uint8)

    first, second = (fitted(preview, iteration, (320, 168)) for iteration in (1000, 250_000))

    assert first.shape == second.shape == (168, 320, 3)
    np.testing.assert_array_equal(first[:128], preview)
    changed = np.argwhere((first != second).any(axis=2))
    assert changed[:, 0].min() >= 128
    assert changed[:, 1].min() > 100


@pytest.mark.parametrize("size", [(64, 400), (900, 64), (3000, 2000), (5, 5)])
def test_previews_of_any_size_fit(size: tuple[int, int]):
    frame = fitted(np.full((size[1], size[0], 3), 200, np.uint8), 7, (320, 168))

    assert frame.shape == (168, 320, 3)
    inside = np.argwhere(frame[:128].mean(axis=2) > 150)
    height, width = inside.max(axis=0) - inside.min(axis=0) + 1
    assert height >= 126 or width >= 318  # it fills one direction
    assert width / height == pytest.approx(size[0] / size[1], rel=0.1)


def test_a_single_preview_makes_no_video(workspace: Workspace):
    give_past(workspace, "m", previews=[500])

    with pytest.raises(ModelError, match=r"fewer than two previews of m .*--preview-every"):
        timelapse(workspace, "m")


def test_rights_are_asked_for_as_for_every_video(tmp_path: Path):
    init(tmp_path / "w", InitConfig())
    workspace = Workspace.open(tmp_path / "w")
    give_past(workspace, "m", previews=[500, 600])

    with pytest.raises(RightsError):
        timelapse(workspace, "m")


def test_a_wish_to_stop_leaves_the_earlier_video_and_nothing_else(workspace: Workspace):
    give_past(workspace, "m", previews=[500, 600, 700])
    left = workspace.history_dir / "m" / ".timelapse.0123abcd.unsigned.mp4"
    left.write_bytes(b"of a run that was killed")
    before = timelapse(workspace, "m").path.read_bytes()
    progress = Progress()
    progress.request_stop()

    with pytest.raises(Interrupted):
        timelapse(workspace, "m", progress=progress)

    folder = workspace.history_dir / "m"
    assert (folder / "timelapse.mp4").read_bytes() == before
    assert not list(folder.glob(".*"))
