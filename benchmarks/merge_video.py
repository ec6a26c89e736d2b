"""From the dst video to the finished result: at once, and over pictures; part of `bench_merge`.

The real decoder, composer, encoder and signer work on a generated video in which every frame has one
face; only the network is replaced by a fixed answer. DeepFaceLab's rates beside it are for composing
alone, without decoding, writing and encoding: what it needs besides is in `DFL_PNG_S` and not counted.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.machine import Table
from dflcolab.config import from_mapping
from dflcolab.faces.face_type import FaceType
from dflcolab.media.config import EncodeConfig, Quality, VideoCodec
from dflcolab.media.encoders import choose_encoder
from dflcolab.media.video_writer import VideoWriter
from dflcolab.merging.face import FaceToMerge, Prediction
from dflcolab.merging.faces_of_frames import FacesOfFrames
from dflcolab.merging.frame_source import VideoFrames, frame_name
from dflcolab.merging.job import MergeJob
from dflcolab.merging.look import Look
from dflcolab.merging.merger import merge_frames
from dflcolab.merging.networks import Networks
from dflcolab.merging.options import CompositeOptions
from dflcolab.pipeline.encode import encode
from dflcolab.pipeline.init import init
from dflcolab.pipeline.merge_opening import sign_picture
from dflcolab.pipeline.merge_video import merge_to_videos
from dflcolab.progress import Progress
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.settings import RightsBasis
from dflcolab.workspace.workspace import Workspace

SIZES = ((1280, 720), (1920, 1080))
DFL_PNG_S = 0.083
"""Seconds in which DeepFaceLab's program writes a frame of 1080p as PNG, on top of its composing."""


@dataclass
class FixedPredictor:
    """Always the same answer, at once."""

    answer: Prediction
    face_type: FaceType

    @property
    def resolution(self) -> int:
        return self.answer.swap.shape[0]

    def predict(
        self, faces: np.ndarray, morphs: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        del morphs
        one = self.answer
        values = (one.swap, one.swap_mask, one.dst_mask)
        return tuple(np.repeat(value[None], len(faces), axis=0) for value in values)


def bench_video(
    frame: np.ndarray,
    face: FaceToMerge,
    face_type: FaceType,
    cases: Mapping[str, Mapping[str, Any]],
    dfl_rates: Mapping[str, float],
    *,
    n_frames: int = 48,
) -> None:
    """Frames a second of whole runs, mask video included.

    Args:
        frame: A frame of 1080p.
        face: Its face, and what a network predicts.
        face_type: Of the face.
        cases: Name of a look → its options.
        dfl_rates: Name of a look → DeepFaceLab's frames a second and core at 1080p.
        n_frames: Length of the video.
    """
    table = Table(
        f"From video to video, {n_frames} frames, all cores, no network",
        ["size", "case", "way", "frames/s", "frames/s per core", "DFL composing", "times DFL"],
    )
    ways = {"at once": _at_once, "at once, draft": _draft, "over pictures": _over_pictures}
    for size in SIZES:
        for name, values in cases.items():
            for way, run in ways.items():
                wall, cpu = _timed_run(run, frame, face, face_type, values, size, n_frames)
                dfl = dfl_rates.get(name) if size == SIZES[-1] else None
                rate = n_frames / cpu
                table.add(
                    f"{size[0]}x{size[1]}",
                    name,
                    way,
                    n_frames / wall,
                    rate,
                    dfl or "",
                    rate / dfl if dfl else "",
                )
    table.print()


def _timed_run(
    run: Callable[[Workspace, MergeJob], None],
    frame: np.ndarray,
    face: FaceToMerge,
    face_type: FaceType,
    values: Mapping[str, Any],
    size: tuple[int, int],
    n_frames: int,
) -> tuple[float, float]:
    """Seconds on the clock and of processor time."""
    with tempfile.TemporaryDirectory() as folder:
        scale = size[0] / frame.shape[1]
        small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        workspace = _workspace(Path(folder), small, n_frames)
        landmarks = (face.landmarks * scale).astype(np.float32)
        stems = [frame_name("", number) for number in range(n_frames)]
        for place in (workspace.merged_dir, workspace.merged_mask_dir):
            place.mkdir(parents=True)
        job = MergeJob(
            frames=VideoFrames([(workspace.root / "data_dst.mp4", "")]),
            faces=FacesOfFrames({stem: [landmarks] for stem in stems}),
            networks=Networks(FixedPredictor(face.prediction, face_type)),
            model_identity="fixed",
            look=Look(from_mapping(CompositeOptions, dict(values))),
            folder=workspace.merged_dir,
            mask_folder=workspace.merged_mask_dir,
            threads=os.cpu_count() or 1,
        )
        wall, cpu = time.perf_counter(), time.process_time()
        run(workspace, job)
        return time.perf_counter() - wall, time.process_time() - cpu


def _at_once(workspace: Workspace, job: MergeJob) -> None:
    merge_to_videos(workspace, job, EncodeConfig(), progress=Progress())


def _draft(workspace: Workspace, job: MergeJob) -> None:
    config = EncodeConfig(quality=Quality.DRAFT)
    merge_to_videos(workspace, job, config, progress=Progress())


def _over_pictures(workspace: Workspace, job: MergeJob) -> None:
    merge_frames(replace(job, stamp=sign_picture), progress=Progress())
    encode(workspace, EncodeConfig())


def _workspace(root: Path, picture: np.ndarray, n_frames: int) -> Workspace:
    """A workspace whose dst video shows the picture, swaying by some pixels, with a film's grain."""
    height, width = picture.shape[:2]
    grain = np.random.default_rng(0)
    video = root / "clip.mp4"
    with VideoWriter(video, width=width, height=height, rate=Fraction(25), time_base=Fraction(1, 25),
                     encoder=choose_encoder(VideoCodec.H264)) as writer:  # fmt: skip
        for number in range(n_frames):
            noise = grain.normal(0, 1.5, (height, width, 1))
            shown = np.clip(np.roll(picture, number % 5, axis=1) + noise, 0, 255)
            writer.write(shown.astype(np.uint8), Fraction(number, 25))
    rights = RightsBasis.SYNTHETIC
    init(root / "w", InitConfig(dst=(video,), src_rights=rights, dst_rights=rights))
    return Workspace.open(root / "w")
