"""Frames per second of merging at 1080p, with a fixed predictor.

Five figures a case: composing alone, in milliseconds of one core (what DeepFaceLab's 6-7 frames/s
per core for `overlay` compare with: neither network nor writing); writing the picture and its mask;
signing; the whole run from frames on disk to signed pictures; and from video to video
(`merge_video`), also at 720p.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from benchmarks.machine import Table, print_machine, timed
from benchmarks.merge_video import FixedPredictor, bench_video
from dflcolab.config import from_mapping
from dflcolab.faces.face_type import FaceType
from dflcolab.media.frame_sequence import encode_image
from dflcolab.merging.composite import composite_frame
from dflcolab.merging.face import FaceToMerge, Prediction, face_crop, working_size
from dflcolab.merging.faces_of_frames import FacesOfFrames
from dflcolab.merging.frame_source import DstFrame, Wanted
from dflcolab.merging.job import MergeJob
from dflcolab.merging.look import Look
from dflcolab.merging.merger import merge_frames
from dflcolab.merging.motion import Motion
from dflcolab.merging.networks import Networks
from dflcolab.merging.options import CompositeOptions
from dflcolab.progress import Progress

# DeepFaceLab's program on two AVX-512 cores, frames/s per core at 1080p without network or writing.
DFL_RATES = {
    "overlay": 6.7,
    "overlay rct": 6.0,
    "overlay rct erode 20 blur 40": 5.9,
    "seamless": 3.0,
    "overlay sot-m": 0.55,
}
CASES = {
    "overlay": {"color_transfer_mode": "none"},
    "overlay rct": {},
    "overlay rct erode 20 blur 40": {"erode_mask_modifier": 20, "blur_mask_modifier": 40},
    "overlay lct": {"color_transfer_mode": "lct"},
    "overlay mkl": {"color_transfer_mode": "mkl"},
    "overlay mkl-m": {"color_transfer_mode": "mkl-m"},
    "overlay idt-m": {"color_transfer_mode": "idt-m"},
    "overlay sot-m": {"color_transfer_mode": "sot-m"},
    "overlay mix-m": {"color_transfer_mode": "mix-m"},
    "XSeg-prd*XSeg-dst, without the network": {"mask_mode": "XSeg-prd*XSeg-dst"},
    "hist-match": {"mode": "hist-match", "color_transfer_mode": "none"},
    "seamless": {"mode": "seamless", "color_transfer_mode": "none"},
    "seamless-hist-match rct": {"mode": "seamless-hist-match"},
    "erode 200 blur 200": {"erode_mask_modifier": 200, "blur_mask_modifier": 200},
    "motion blur": {"motion_blur_power": 50},
    "raw-rgb": {"mode": "raw-rgb"},
    "super-resolution 50": {"super_resolution_power": 50},
    "sharpen": {"sharpen_mode": "gaussian", "blursharpen_amount": 5},
    "denoise 100": {"image_denoise_power": 100},
    "bicubic degrade 50": {"bicubic_degrade_power": 50},
    "color degrade 50": {"color_degrade_power": 50},
}
WHOLE = ("overlay rct", "seamless")
"""Looks that are measured from video to video: the usual one and the costliest of the common ones."""

RESOLUTION = 224
FACE = FaceType.WHOLE
LANDMARKS = Path(__file__).parents[1] / "tests" / "data" / "vectors" / "imaging" / "merge"


def scene() -> tuple[np.ndarray, FaceToMerge]:
    """A 1080p frame with one face 460 pixels high, and what a model might predict for it."""
    content = json.loads((LANDMARKS / "merge.json").read_text(encoding="utf-8"))
    entry = content["frames"]["m_obama"]
    small = cv2.imread(str(LANDMARKS / entry["file"]))
    zoom = 3.5
    picture = cv2.resize(small, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    frame = np.random.default_rng(0).integers(60, 90, (1080, 1920, 3), dtype=np.uint8)
    frame = cv2.GaussianBlur(frame, (0, 0), 3)
    top, left = 200, 600
    frame[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    landmarks = (np.array(entry["faces_landmarks"][0]) * zoom + (left, top)).astype(np.float32)
    crop = face_crop(frame, landmarks, RESOLUTION, FACE)
    y, x = np.mgrid[-1 : 1 : RESOLUTION * 1j, -1 : 1 : RESOLUTION * 1j]
    mask = np.clip(6 * (1 - (x / 0.62) ** 2 - (y / 0.75) ** 2), 0, 1).astype(np.float32)[..., None]
    swap = np.clip(crop[:, ::-1] * np.float32(0.9) + np.float32(0.05), 0, 1)
    xseg = cv2.resize(mask, (256, 256))[..., None]
    return frame, FaceToMerge(landmarks, Prediction(swap, mask, mask, xseg, xseg))


def bench_composing(frame: np.ndarray, face: FaceToMerge) -> None:
    """One core: OpenCV without threads, as DeepFaceLab's rates are per core."""
    table = Table(
        f"Composing one face, 1920x1080, whole face {RESOLUTION}, one core",
        ["case", "ms (cpu)", "frames/s per core", "DFL", "times DFL"],
    )
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    motion = Motion(30.0, 20.0)
    for name, values in CASES.items():
        options = from_mapping(CompositeOptions, values)

        def compose(options=options) -> None:
            crop = face_crop(frame, face.landmarks, working_size(options, RESOLUTION), FACE)
            shown = replace(face, crop=crop)
            composite_frame(frame, [shown], face_type=FACE, options=options, motion=motion)

        timing = timed(compose, repeats=7, at_least_s=0.5)
        rate = 1.0 / timing.cpu_s
        dfl = DFL_RATES.get(name)
        table.add(name, timing.cpu_s * 1e3, rate, dfl or "", rate / dfl if dfl else "")
    cv2.setNumThreads(threads)
    table.print()


def bench_writing(frame: np.ndarray, face: FaceToMerge) -> None:
    """Encoding of pictures, by compression level."""
    image, mask = composite_frame(frame, [face], face_type=FACE, options=CompositeOptions())
    table = Table("Encoding a merged frame as PNG", ["level", "ms (cpu)", "MB"])
    for level in (0, 1, 3):
        timing = timed(lambda level=level: encode_image(image, ".png", compression=level))
        size = len(encode_image(image, ".png", compression=level)) / 1e6
        table.add(level, timing.cpu_s * 1e3, size)
    timing = timed(lambda: encode_image(mask, ".png"))
    table.add("mask, 1", timing.cpu_s * 1e3, len(encode_image(mask, ".png")) / 1e6)
    table.print()


@dataclass
class _Memory:
    """Frames that are already decoded."""

    frame: np.ndarray
    stems: list[str]
    problems: list[str] = field(default_factory=list)
    description: str = "frames in memory"

    def identity(self, stem: str) -> str:
        return stem

    def whole_identity(self) -> str:
        return "memory"

    def walk(
        self, start: int, stop: int | None, wanted: Wanted, *, deep: bool = False
    ) -> Iterator[DstFrame]:
        del deep
        for stem in self.stems[start:stop]:
            if wanted(stem):
                yield DstFrame(stem, self.frame)


def bench_run(frame: np.ndarray, face: FaceToMerge) -> None:
    """The whole run from decoded frames to pictures on disk, all cores."""
    from dflcolab.pipeline.merge_opening import sign_picture

    n_frames = 48
    table = Table(
        "Whole run without decoding and network, overlay rct, all cores",
        ["pictures", "frames/s", "ms of cpu a frame"],
    )
    stems = [f"{number:05d}" for number in range(1, n_frames + 1)]
    for name, stamp in (("plain", None), ("signed", sign_picture)):
        with tempfile.TemporaryDirectory() as folder:
            places = [Path(folder) / "merged", Path(folder) / "merged_mask"]
            for place in places:
                place.mkdir()
            job = MergeJob(
                frames=_Memory(frame, stems),
                faces=FacesOfFrames({stem: [face.landmarks] for stem in stems}),
                networks=Networks(FixedPredictor(face.prediction, FACE)),
                model_identity="fixed",
                look=Look(),
                folder=places[0],
                mask_folder=places[1],
                stamp=stamp,
            )
            wall, cpu = time.perf_counter(), time.process_time()
            merge_frames(job, progress=Progress())
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            table.add(name, n_frames / wall, cpu / n_frames * 1e3)
    table.print()


def main() -> None:
    print_machine()
    frame, face = scene()
    bench_composing(frame, face)
    bench_writing(frame, face)
    bench_run(frame, face)
    whole = {name: CASES[name] for name in WHOLE}
    bench_video(frame, face, FACE, whole, DFL_RATES)


if __name__ == "__main__":
    main()
