"""Extraction from video to aligned JPEG: frames per second end to end, and where the time goes.

The clip is `studio_woman` of the demo, scaled up to 1280 x 720 and encoded anew (H.264), one face
per frame. Target: 30 frames/s on two cores, for src (faces only) and dst (debug pictures too).

Processor time per frame is the better figure on a machine that others load: divided by the number
of cores it is what a quiet machine needs.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import av
import cv2

from benchmarks.machine import Table, peak_memory_mb, print_machine, timed
from dflcolab.extraction.alignment import align_face, encode_jpeg
from dflcolab.extraction.config import ExtractConfig
from dflcolab.extraction.debug_view import draw_face
from dflcolab.extraction.extractor import n_cores
from dflcolab.pipeline.extract import extract
from dflcolab.workspace.workspace import Side, Workspace

TARGET = 30.0
SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}


def make_clip(path: Path, size: tuple[int, int], n_frames: int) -> None:
    """`studio_woman` in another size, H.264, 30 frames/s."""
    source = Path(str(files("dflcolab") / "assets" / "demo" / "studio_woman.mp4"))
    with av.open(str(source)) as reader, av.open(str(path), "w") as writer:
        stream = writer.add_stream("libx264", rate=30, options={"preset": "veryfast", "crf": "20"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for index, frame in enumerate(reader.decode(video=0)):
            if index >= n_frames:
                break
            scaled = frame.reformat(*size, "yuv420p")
            scaled.pts, scaled.time_base = index, Fraction(1, 30)
            writer.mux(stream.encode(scaled))
        writer.mux(stream.encode())


def end_to_end(clip: Path, side: Side, table: Table, name: str) -> float:
    """One extraction in a fresh workspace; frames per second."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "workspace.toml").write_text('format_version = 1\nname = "bench"\n')
        shutil.copy(clip, root / f"data_{side.value}.mp4")
        wall, cpu = time.perf_counter(), time.process_time()
        report = extract(Workspace.open(root), ExtractConfig(side=side))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    stages = report.stage_seconds
    per_frame = 1000 / report.frames
    table.add(
        name,
        side.value,
        report.faces,
        report.frames / wall,
        cpu * per_frame,
        n_cores() * report.frames / cpu,
        ", ".join(f"{stage} {seconds * per_frame:.1f}" for stage, seconds in stages.items()),
    )
    return report.frames / wall


def parts(clip: Path) -> Table:
    """Processor time of each step for one frame, one thread."""
    from dflcolab.detection.detector import FaceDetector
    from dflcolab.detection.faces import find_faces
    from dflcolab.detection.mesh import FaceMesh
    from dflcolab.faces.face_type import FaceType
    from dflcolab.media.video_reader import VideoReader

    table = Table("Steps, one thread, ms of processor time", ["step", "ms", "per frame"])
    cv2.setNumThreads(1)
    mesh = FaceMesh()
    detector = FaceDetector(mesh)
    frame = next(iter(VideoReader(clip).frames())).image
    (face,) = find_faces(frame, detector.detect(frame), mesh)
    square = face.mesh.crop()
    crop = align_face(
        frame, face.landmarks, face.box, face_type=FaceType.WHOLE, size=512, source_filename="a.png"
    )
    picture = frame.copy()

    def draw() -> None:
        draw_face(picture, face.landmarks, face.box, face_type=FaceType.WHOLE, size=512)

    def align() -> None:
        align_face(
            frame, face.landmarks, face.box, face_type=FaceType.WHOLE, size=512,
            source_filename="a.png",
        )  # fmt: skip

    def decode() -> None:
        for _ in VideoReader(clip).frames(stop=60):
            pass

    table.add("decode and convert", timed(decode, repeats=3).cpu_s * 1000 / 60, "every")
    for name, function, often in (
        ("detector, 320 + 640", lambda: detector.detect(frame), "1 in 5"),
        ("mesh, one pass", lambda: mesh.follow(frame, square), "every"),
        ("align 512", align, "every"),
        ("JPEG 512, quality 90", lambda: encode_jpeg(crop.image, 90), "every"),
        ("debug drawing", draw, "dst"),
        ("debug JPEG, quality 50", lambda: encode_jpeg(picture, 50), "dst"),
    ):
        table.add(name, timed(function, repeats=15).cpu_s * 1000, often)
    return table


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["720p"])
    options = parser.parse_args()
    print_machine()
    table = Table(
        f"End to end, one face per frame; target {TARGET:.0f} frames/s at 720p on two cores",
        ["clip", "side", "faces", "frames/s", "CPU ms/frame", f"frames/s if {n_cores()} cores free",
         "busy ms/frame by stage (threads overlap)"],
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for name in options.sizes:
            clip = Path(folder) / f"{name}.mp4"
            make_clip(clip, SIZES[name], options.frames)
            for side in (Side.SRC, Side.DST):
                end_to_end(clip, side, table, name)
        table.print()
        print(f"peak memory: {peak_memory_mb():.0f} MB")
        parts(Path(folder) / f"{options.sizes[0]}.mp4").print()


if __name__ == "__main__":
    main()
