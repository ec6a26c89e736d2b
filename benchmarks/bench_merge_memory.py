"""Does memory stay flat over a long merge and encode, and over both at once? Two thousand small frames, from video to video.

The real decoder, composer and writers work on a generated video with one face; only the network is
replaced by a fixed answer. Masks and colors are smoothed over time, so that frames wait for others.
"""

from __future__ import annotations

import os
import tempfile
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from benchmarks.bench_leak import MemoryWatch
from benchmarks.bench_merge import FACE, scene
from benchmarks.machine import Table, print_machine
from benchmarks.merge_video import FixedPredictor
from dflcolab.config import from_mapping
from dflcolab.media.config import EncodeConfig, VideoCodec
from dflcolab.media.encoders import choose_encoder
from dflcolab.media.video_writer import VideoWriter
from dflcolab.merging.face import Prediction
from dflcolab.merging.faces_of_frames import FacesOfFrames
from dflcolab.merging.frame_source import VideoFrames, frame_name
from dflcolab.merging.job import MergeJob
from dflcolab.merging.look import Look
from dflcolab.merging.merger import merge_frames
from dflcolab.merging.networks import Networks
from dflcolab.merging.options import CompositeOptions
from dflcolab.merging.stretches import find_stretches
from dflcolab.pipeline.encode import encode
from dflcolab.pipeline.init import init
from dflcolab.pipeline.merge_video import merge_to_videos
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.settings import RightsBasis
from dflcolab.workspace.workspace import Workspace

N_FRAMES = 2000
SIZE = (320, 180)
EVERY = 250
SIDE = 64


def _small_scene() -> tuple[np.ndarray, np.ndarray, Prediction]:
    frame, face = scene()
    scale = SIZE[0] / frame.shape[1]
    small = cv2.resize(frame, SIZE, interpolation=cv2.INTER_AREA)
    parts = [
        cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA).reshape(SIDE, SIDE, -1)
        for part in (face.prediction.swap, face.prediction.swap_mask, face.prediction.dst_mask)
    ]
    return small, (face.landmarks * scale).astype(np.float32), Prediction(*parts)


def _make_workspace(root: Path, picture: np.ndarray) -> Workspace:
    video = root / "clip.mp4"
    with VideoWriter(video, width=SIZE[0], height=SIZE[1], rate=Fraction(25), time_base=Fraction(1, 25),
                     encoder=choose_encoder(VideoCodec.H264)) as writer:  # fmt: skip
        for number in range(N_FRAMES):
            writer.write(np.roll(picture, number % 5, axis=1), Fraction(number, 25))
    rights = RightsBasis.SYNTHETIC
    init(root / "w", InitConfig(dst=(video,), src_rights=rights, dst_rights=rights))
    return Workspace.open(root / "w")


def _job(workspace: Workspace, landmarks: np.ndarray, answer: Prediction) -> MergeJob:
    stems = [frame_name("", number) for number in range(N_FRAMES)]
    faces = FacesOfFrames(
        {stem: [landmarks] for stem in stems}, names={stem: [f"{stem}_0.jpg"] for stem in stems}
    )
    tracks = {names[0]: "t" for names in faces.names.values()}
    index = {stem: number for number, stem in enumerate(stems)}
    look = from_mapping(CompositeOptions, {"smooth_masks": 3, "smooth_colors": 5})
    for folder in (workspace.merged_dir, workspace.merged_mask_dir):
        folder.mkdir(parents=True, exist_ok=True)
    return MergeJob(
        frames=VideoFrames([(workspace.root / "data_dst.mp4", "")]),
        faces=faces,
        networks=Networks(FixedPredictor(answer, FACE)),
        model_identity="fixed",
        look=Look(look),
        folder=workspace.merged_dir,
        mask_folder=workspace.merged_mask_dir,
        threads=os.cpu_count() or 1,
        stretches=find_stretches(faces, tracks, index, ()),
    )


def main() -> None:
    print_machine()
    picture, landmarks, answer = _small_scene()
    table = Table(
        f"Resident size, {N_FRAMES} frames of {SIZE[0]}x{SIZE[1]}, MB",
        ["step", *[str(EVERY * (k + 1)) for k in range(N_FRAMES // EVERY)]],
    )
    with tempfile.TemporaryDirectory() as folder:
        workspace = _make_workspace(Path(folder), picture)
        watch = MemoryWatch(EVERY, "frames")
        merge_frames(_job(workspace, landmarks, answer), progress=watch)
        table.add("merge", *[round(sample.kilobytes / 1024) for sample in watch.samples])
        watch = MemoryWatch(EVERY, "frames")
        encode(workspace, EncodeConfig(mask=False), progress=watch)
        table.add("encode", *[round(sample.kilobytes / 1024) for sample in watch.samples])
        watch = MemoryWatch(EVERY, "frames")
        merge_to_videos(
            workspace, _job(workspace, landmarks, answer), EncodeConfig(), progress=watch
        )
        table.add("at once", *[round(sample.kilobytes / 1024) for sample in watch.samples])
    table.print()


if __name__ == "__main__":
    main()
