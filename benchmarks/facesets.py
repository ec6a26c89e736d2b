"""Facesets for benchmarks: real faces of the demo clips, varied so that no two files are equal.

Run alone it makes one: `python -m benchmarks.facesets FOLDER 1000 --size 256`.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np

from dflcolab.arrays import Image, Landmarks
from dflcolab.detection.faces import detect_faces
from dflcolab.detection.geometry import FloatArray
from dflcolab.extraction.alignment import align_face, encode_jpeg
from dflcolab.faces.face_type import FaceType
from dflcolab.formats.dfl_jpeg import embed
from dflcolab.media.video_reader import VideoReader

CLIPS = ("studio_woman.mp4", "webcam_man.mp4")
_FRAMES_PER_CLIP = 36


def make_faceset(
    folder: Path,
    count: int,
    size: int = 256,
    seed: int = 0,
    *,
    face_type: FaceType = FaceType.WHOLE,
) -> list[Path]:
    """Write `count` face files, `00000.jpg` and on.

    Each shows a face of the demo clips, cut with slightly moved landmarks, brightened, tinted,
    blurred and made noisy at random, and compressed as `extract` does. Neighbours are alike, as in
    a video; about one in twelve is a near-copy of the one before.

    Args:
        folder: Made if missing; files in it stay.
        count: How many.
        size: Side in pixels.
        seed: Another seed, other faces.
        face_type: Extent of the crop.

    Returns:
        The files by name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    originals = _originals()

    def write(index: int) -> Path:
        path = folder / f"{index:05d}.jpg"
        # A near-copy repeats all draws of its predecessor except the noise.
        original = index - 1 if index % 12 == 11 else index
        generator = np.random.default_rng((seed, original))
        # Slow and back and forth through the clips, a second of "video" per frame of the original.
        place = (original // 25) % (2 * len(originals))
        frame, landmarks, box = originals[min(place, 2 * len(originals) - 1 - place)]
        aligned = align_face(
            frame, _moved(landmarks, generator), box, face_type=face_type, size=size,
            source_filename=f"{index:05d}.png",
            provenance={"video": "bench.mp4", "frame_index": index, "time_s": index / 25},
        )  # fmt: skip
        # The face is changed after it is cut out: a third of the samples of its frame.
        noise = np.random.default_rng((seed, index, 1))
        picture = _noisy(_varied(aligned.image, generator), noise)
        path.write_bytes(embed(encode_jpeg(picture, 90), aligned.record, name=path.name))
        return path

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(write, range(count)))


def _originals() -> list[tuple[Image, Landmarks, FloatArray]]:
    """Frames of both clips cut down to the face's surroundings, its landmarks and its box."""
    demo = Path(str(files("dflcolab") / "assets" / "demo"))
    found: list[tuple[Image, Landmarks, FloatArray]] = []
    for clip in CLIPS:
        frames = [frame.image for frame in VideoReader(demo / clip).frames()]
        for frame in frames[:: max(1, len(frames) // _FRAMES_PER_CLIP)]:
            for face in detect_faces(frame, max_faces=1):
                left, top, right, bottom = (int(edge) for edge in face.box)
                margin = max(right - left, bottom - top)
                corner = np.array([max(left - margin, 0), max(top - margin, 0)], np.float32)
                x, y = corner.astype(int)
                part = np.ascontiguousarray(frame[y : bottom + margin, x : right + margin])
                found.append((part, face.landmarks - corner, face.box - np.tile(corner, 2)))
    return found


def _moved(landmarks: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The same landmarks turned, grown and shifted a little, each point by itself too."""
    middle = landmarks.mean(axis=0)
    side = float(np.ptp(landmarks, axis=0).max())
    angle, grow = generator.normal(0, 0.04), np.exp(generator.normal(0, 0.03))
    turn = grow * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = generator.normal(0, 0.01 * side, 2) + generator.normal(0, 0.004 * side, (68, 2))
    return ((landmarks - middle) @ turn.T + middle + shift).astype(np.float32)


def _varied(face: Image, generator: np.random.Generator) -> Image:
    """The face in another light, more or less sharp; `[H, W, 3]`, uint8."""
    gain = np.exp(generator.normal(0, 0.15)) * np.exp(generator.normal(0, 0.05, 3))
    offset = generator.normal(0, 8)
    table = np.clip(np.arange(256)[:, None] * gain + offset, 0, 255).astype(np.uint8)
    picture = cv2.LUT(face, table[None])
    if generator.random() < 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), float(generator.uniform(0.4, 2.5)))
    return picture


def _noisy(face: Image, generator: np.random.Generator) -> Image:
    """Up to two levels more or less in every sample."""
    # Two more, then up to four less: `add` and `subtract` stop at the ends of the range.
    less = np.frombuffer(generator.bytes(face.size), np.uint8).reshape(face.shape) % 5
    return cv2.subtract(cv2.add(face, (2, 2, 2, 0)), less)


def main() -> None:
    """Make a faceset from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    make_faceset(options.folder, options.count, options.size, options.seed)


if __name__ == "__main__":
    main()
