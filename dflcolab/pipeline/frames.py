# pyright: strict
"""`frames`: the frames of a side's videos as picture files. Only when somebody wants them so."""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dflcolab.arrays import Image
from dflcolab.errors import WorkspaceError
from dflcolab.files import storage_errors, write_text
from dflcolab.media.config import FramesConfig
from dflcolab.media.frame_sequence import list_frames, write_image
from dflcolab.media.probe import VideoInfo
from dflcolab.media.video_reader import VideoReader
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Side, Workspace

RECORD_NAME = "frames.json"
"""File beside the frames that says which video they come from."""

_RECORD_VERSION = 1
_HEAD_BYTES = 1 << 20
_MAX_WRITERS = 8


@dataclass(frozen=True)
class FramesReport:
    """What `frames` did.

    Attributes:
        side: "src" or "dst".
        folder: Where the frames are.
        videos: Names of the videos read.
        written: Frames written now.
        already_there: Frames that were there.
        problems: What was wrong with the videos, one sentence each.
    """

    side: str
    folder: Path
    videos: tuple[str, ...]
    written: int
    already_there: int
    problems: tuple[str, ...]

    def summary(self) -> str:
        """The report in a few lines."""
        there = f" ({self.already_there} were there)" if self.already_there else ""
        first = f"Wrote {self.written} frames of {', '.join(self.videos)} to {self.folder}{there}."
        return "\n".join([first, *self.problems])


def frames(
    workspace: Workspace, config: FramesConfig, *, progress: Progress | None = None
) -> FramesReport:
    """Write the frames of a side's videos as `data_src/00001.png` … (second video: `2-00001.png`).

    The number is the frame's number in the video, from 1, also when `fps` leaves frames out. Frames
    that are there, as PNG or JPEG, are left alone; so an interrupted run goes on where it stopped.

    Raises:
        WorkspaceError: The side has no video, or the folder holds frames of another video.
        MediaError: A video is not one.
        StorageError: The disk is full; what is written so far is complete and stays.
    """
    progress = progress or Progress()
    side = Side(config.side)
    videos = workspace.videos(side)
    if not videos:
        raise WorkspaceError(
            f"There is no {side.value} video in {workspace.root}; add one with "
            f"`dflcolab init -w {workspace.root} --{side.value} VIDEO`."
        )
    folder = workspace.frames_dir(side)
    readers = [VideoReader(video) for video in videos]
    with storage_errors(folder):
        folder.mkdir(exist_ok=True)
        _record(folder, videos)
    written = present = 0
    problems: list[str] = []
    for reader in readers:
        new, old = _write_frames(workspace, reader, folder, config, progress)
        written += new
        present += old
        problems += reader.problems
    return FramesReport(
        side=side.value,
        folder=folder,
        videos=tuple(video.name for video in videos),
        written=written,
        already_there=present,
        problems=tuple(problems),
    )


def _write_frames(
    workspace: Workspace,
    reader: VideoReader,
    folder: Path,
    config: FramesConfig,
    progress: Progress,
) -> tuple[int, int]:
    """Number of frames written now, and of those that were there."""
    prefix = workspace.frame_prefix(reader.path)
    there = {path.stem for path in list_frames(folder)}
    n_written = n_present = 0
    title = f"Frames of {reader.path.name}"
    total = _expected(reader.info, config.fps)
    with (
        progress.task(title, total=total, unit="frames") as task,
        _Writers(config.jpeg_quality, task.advance) as writers,
    ):

        def missing(index: int) -> bool:
            nonlocal n_present
            progress.raise_if_stopped()
            present = f"{prefix}{index + 1:05d}" in there
            if present:
                n_present += 1
                task.advance()
            return not present

        for frame in reader.frames(fps=config.fps, wanted=missing):
            writers.put(folder / f"{prefix}{frame.index + 1:05d}.{config.ext}", frame.image)
            n_written += 1
    return n_written, n_present


class _Writers:
    """Encodes and writes pictures in threads, a few at a time."""

    def __init__(self, quality: int, on_done: Callable[[], None]) -> None:
        self._quality = quality
        self._on_done = on_done
        self._n_threads = min(os.cpu_count() or 1, _MAX_WRITERS)
        self._pending: deque[Future[None]] = deque()

    def __enter__(self) -> _Writers:
        self._pool = ThreadPoolExecutor(self._n_threads, "frame-writer")
        return self

    def put(self, path: Path, image: Image) -> None:
        while len(self._pending) > 2 * self._n_threads:
            self._wait_for_one()
        self._pending.append(self._pool.submit(write_image, path, image, self._quality))

    def _wait_for_one(self) -> None:
        self._pending.popleft().result()
        self._on_done()

    def __exit__(self, error_type: object, error: object, traceback: object) -> None:
        try:
            while error is None and self._pending:
                self._wait_for_one()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)


def _expected(info: VideoInfo, fps: float | None) -> int | None:
    if fps is None:
        return info.n_frames_estimate or None
    by_time = round(float(info.duration_s) * fps)
    return min(by_time, info.n_frames_estimate or by_time) or None


def _record(folder: Path, videos: list[Path]) -> None:
    """Write down which videos the frames come from.

    Raises:
        WorkspaceError: There are frames of a video of the same name but another content.
    """
    path = folder / RECORD_NAME
    kept = _read_record(path)
    now = {video.name: _identity(video) for video in videos}
    has_frames = bool(list_frames(folder))
    for name, identity in now.items():
        if has_frames and name in kept and kept[name] != identity:
            raise WorkspaceError(
                f"{folder} holds frames of an earlier {name}; delete them (or move them away) first."
            )
    merged = {**kept, **now}
    if merged != kept:
        record = {"version": _RECORD_VERSION, "videos": merged}
        write_text(path, json.dumps(record, indent=1))


def _read_record(path: Path) -> dict[str, dict[str, Any]]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return dict(cast("dict[str, dict[str, Any]]", record["videos"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}


def _identity(video: Path) -> dict[str, Any]:
    """Size and hash of the first megabyte: tells two videos apart without reading gigabytes."""
    with video.open("rb") as stream:
        head = hashlib.sha256(stream.read(_HEAD_BYTES)).hexdigest()
    return {"size_bytes": video.stat().st_size, "sha256_of_first_megabyte": head}
