"""How much faces tremble in real footage, and how much of it `smooth_landmarks` and `smooth_colors` take.

The two demo clips, every frame, extracted by the pipeline. Trembling is the mean second difference in
time, in pixels of the frame, over the faces of the same person without a gap or a cut. The movement that
smoothing takes away beside it is the distance between a landmark as found and as smoothed. Of
colors: the mean of each channel over the middle of the face's crop, in levels of 255.
"""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

import numpy as np

from benchmarks.demo_workspace import CACHE
from benchmarks.machine import Table, print_machine
from dflcolab.extraction.config import ExtractConfig
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.faceset import load_faceset
from dflcolab.faceset.tracks import find_tracks
from dflcolab.imaging.local_fit import smoothed
from dflcolab.media.video_reader import VideoReader
from dflcolab.merging.config import FrameSource
from dflcolab.merging.face import face_crop
from dflcolab.merging.faces_of_frames import FacesOfFrames, faces_of_frames
from dflcolab.merging.frame_source import dst_frames
from dflcolab.merging.scene_cuts import CUTS_FILE, scene_cuts
from dflcolab.merging.steady_landmarks import steady_landmarks
from dflcolab.merging.stretches import Stretches, find_stretches, landmarks_of, measure_jitter
from dflcolab.pipeline.extract import extract
from dflcolab.pipeline.init import init
from dflcolab.progress import Progress
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.settings import RightsBasis
from dflcolab.workspace.workspace import Side, Workspace

CLIPS = ("webcam_man", "studio_woman")
RADII = (0, 2, 3, 5, 8, 12)
CROP = 128


def steady_workspace(clip: str) -> Workspace:
    """A workspace with all faces of a clip as dst, kept from run to run."""
    root = CACHE / f"steady-{clip}"
    if not root.exists():
        half_made = CACHE / f"steady-{clip}.tmp"
        shutil.rmtree(half_made, ignore_errors=True)
        video = Path(str(files("dflcolab"))) / "assets" / "demo" / f"{clip}.mp4"
        rights = RightsBasis.LICENSED
        init(half_made, InitConfig(dst=(video,), src_rights=rights, dst_rights=rights))
        config = ExtractConfig(side=Side.DST, size=CROP, debug=False)
        extract(Workspace.open(half_made), config)
        half_made.rename(root)
    return Workspace.open(root)


def stretches_of(workspace: Workspace) -> tuple[FacesOfFrames, Stretches, int]:
    """The faces of a workspace, followed through time, and the number of cuts."""
    faceset = load_faceset(workspace.aligned_dir(Side.DST))
    faces = faces_of_frames(faceset.names, faceset.records)
    frames = dst_frames(workspace, FrameSource.VIDEO)
    cuts = scene_cuts(frames, workspace.history_dir / CUTS_FILE, progress=Progress())
    tracks = find_tracks(dict(zip(faceset.names, faceset.records, strict=True)))
    index = {stem: number for number, stem in enumerate(frames.stems)}
    return faces, find_stretches(faces, tracks, index, cuts), len(cuts) - 1


def moved(faces: FacesOfFrames, steady: FacesOfFrames, stretches: Stretches) -> float:
    """Mean way of a landmark by smoothing, in pixels."""
    ways = [
        np.linalg.norm(landmarks_of(faces, sight) - landmarks_of(steady, sight), axis=1).mean()
        for stretch in stretches.all
        for sight in stretch
    ]
    return float(np.mean(ways))


def color_series(
    workspace: Workspace, faces: FacesOfFrames, stretches: Stretches
) -> list[np.ndarray]:
    """Mean color of the middle of the crop in every frame of each stretch, levels of 255."""
    wanted = {sight.stem: sight for stretch in stretches.all for sight in stretch}
    means: dict[str, np.ndarray] = {}
    video = workspace.videos(Side.DST)[0]
    for frame in VideoReader(video).frames():
        stem = f"{frame.index + 1:05d}"
        if stem in wanted:
            crop = face_crop(frame.image, landmarks_of(faces, wanted[stem]), CROP, FaceType.WHOLE)
            means[stem] = 255 * crop[45:95, 40:88].mean(axis=(0, 1))
    return [np.stack([means[sight.stem] for sight in stretch]) for stretch in stretches.all]


def color_trembling(series: list[np.ndarray], radius: int) -> float:
    """Mean second difference of the colors after smoothing."""
    bends: list[float] = []
    for values in series:
        moments = np.arange(len(values))
        calm = np.stack([smoothed(moments, values, place, radius) for place in moments])
        bends.append(float(np.abs(np.diff(calm, n=2, axis=0)).mean()))
    return float(np.mean(bends))


def main() -> None:
    print_machine()
    table = Table(
        "Trembling of faces, mean second difference in time",
        ["clip", "frames each side", "landmarks px", "face px", "moved by px", "color levels"],
    )
    for clip in CLIPS:
        workspace = steady_workspace(clip)
        faces, stretches, n_cuts = stretches_of(workspace)
        series = [part for part in color_series(workspace, faces, stretches) if len(part) > 2]
        print(f"{clip}: {faces.n_faces} faces, {len(stretches.all)} stretches, {n_cuts} cuts")
        for radius in RADII:
            steady = steady_landmarks(faces, stretches, lambda _, radius=radius: radius)
            jitter = measure_jitter(steady, stretches)
            way = moved(faces, steady, stretches)
            levels = color_trembling(series, radius)
            table.add(clip, radius, jitter.landmarks, jitter.box, way, levels)
    table.print()


if __name__ == "__main__":
    main()
