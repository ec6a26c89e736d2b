"""What an HDR source keeps in the result, and the sentences where a choice takes it away."""

from __future__ import annotations

from pathlib import Path

import pytest

from dflcolab.media.config import EncodeConfig
from dflcolab.media.probe import probe
from dflcolab.pipeline.merge_video import merge_to_videos
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Workspace
from tests.media.clips import make_video
from tests.pipeline.straight import SIZE, job_of, workspace_with
from tests.troubleshooting.said import said


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    params = (
        "log-level=none:max-cll=900,400:master-display="
        "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    )
    video = make_video(tmp_path / "clip.mp4", n_frames=4, size=SIZE, codec="libx265",
                       pix_fmt="yuv420p10le", options={"x265-params": params})  # fmt: skip
    return workspace_with(tmp_path / "w", video)


def made(workspace: Workspace, **options) -> list[str]:
    config = EncodeConfig(mask=False, quality="draft", **options)
    return merge_to_videos(workspace, job_of(workspace), config, progress=Progress()).messages


def test_light_of_an_hdr_source_is_in_the_result(workspace: Workspace):
    assert made(workspace) == []

    before, after = probe(workspace.root / "data_dst.mp4"), probe(workspace.result_path())
    assert before.hdr is not None
    assert before.hdr.light == (900, 400)
    assert after.hdr == before.hdr


@pytest.mark.bad_day("result-eight-bits", "result-without-light")
def test_a_choice_that_takes_depth_and_light_away_is_said(workspace: Workspace):
    messages = made(workspace, codec="h264")

    for message in messages:
        said(message)
    assert any("result.mp4 has eight bits a value, the dst video 10" in m for m in messages)
    assert any("result.mp4 does not say how bright" in m for m in messages)
    assert probe(workspace.result_path()).bit_depth == 8
