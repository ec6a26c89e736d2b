"""A small dst video to merge straight into a result, with a predictor that paints green.

`python -m tests.pipeline.straight ROOT` merges a workspace slowly, for tests that kill it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from dflcolab.config import from_mapping
from dflcolab.faces.face_type import FaceType
from dflcolab.media.config import EncodeConfig
from dflcolab.media.timeline import read_timeline
from dflcolab.merging.faces_of_frames import FacesOfFrames
from dflcolab.merging.frame_source import VideoFrames, frame_name
from dflcolab.merging.job import MergeJob
from dflcolab.merging.look import Look
from dflcolab.merging.networks import Networks
from dflcolab.merging.options import CompositeOptions
from dflcolab.pipeline.init import init
from dflcolab.pipeline.merge_video import merge_to_videos
from dflcolab.progress import Progress
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.workspace import RightsBasis, Side, Workspace
from tests.merging.scenes import LANDMARKS, green_face, moved

SIZE = (420, 320)
PART = 5
PLAIN = from_mapping(CompositeOptions, {"color_transfer_mode": "none"})
FACE = moved(LANDMARKS, (0, 90), 0.4)
"""Below the bars that number the frames."""

EXACT = EncodeConfig(lossless=True)


class GreenPredictor:
    """Green for every face, after a pause."""

    resolution = 64
    face_type = FaceType.WHOLE

    def __init__(self, pause_s: float = 0.0) -> None:
        self.pause_s = pause_s
        self.n_faces = 0

    def predict(
        self, faces: np.ndarray, morphs: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        time.sleep(self.pause_s)
        one = green_face(self.resolution)
        self.n_faces += len(morphs)
        values = (one.swap, one.swap_mask, one.dst_mask)
        return tuple(np.repeat(value[None], len(faces), axis=0) for value in values)


def workspace_with(root: Path, *videos: Path) -> Workspace:
    rights = RightsBasis.LICENSED
    init(root, InitConfig(dst=videos, src_rights=rights, dst_rights=rights))
    return Workspace.open(root)


def job_of(
    workspace: Workspace, *, look: Look | None = None, pause_s: float = 0.0, batch: int = 2, **more
) -> MergeJob:
    """Every third frame has no face."""
    videos = [(path, workspace.frame_prefix(path)) for path in workspace.videos(Side.DST)]
    stems = [
        frame_name(prefix, index)
        for path, prefix in videos
        for index in range(len(read_timeline(path).times))
    ]
    return MergeJob(
        frames=VideoFrames(videos),
        faces=FacesOfFrames({stem: [FACE] for k, stem in enumerate(stems) if k % 3}),
        networks=Networks(GreenPredictor(pause_s), batch=batch),
        model_identity="weights 1",
        look=look or Look(PLAIN),
        folder=workspace.merged_dir,
        mask_folder=workspace.merged_mask_dir,
        **more,
    )


if __name__ == "__main__":
    opened = Workspace.open(sys.argv[1])
    merge_to_videos(
        opened,
        job_of(opened, pause_s=0.3, batch=1, threads=1),
        EXACT,
        progress=Progress(),
        part_frames=PART,
    )
