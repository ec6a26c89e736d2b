# pyright: strict
"""The dst frames in order, from the video or from pictures.

Frames of a video are named as `extract` names them: prefix of the video and number from 1, five
digits at least.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from dflcolab.arrays import DeepImage, Image
from dflcolab.errors import MediaError, WorkspaceError
from dflcolab.files import sha256_of
from dflcolab.media.frame_seek import FrameSeeker
from dflcolab.media.frame_sequence import list_frames, read_image
from dflcolab.media.video_reader import VideoReader
from dflcolab.merging.config import FrameSource
from dflcolab.workspace.workspace import Side, Workspace

Wanted = Callable[[str], bool]
"""Asked with a frame's name before the frame is decoded."""


@dataclass(frozen=True)
class DstFrame:
    """One frame of the dst footage.

    Attributes:
        stem: Its name without ending.
        image: BGR picture.
        deep: The same with 16 bits a value, where that was asked for and the footage has it.
    """

    stem: str
    image: Image
    deep: DeepImage | None = None


class DstFrames(Protocol):
    """Footage that can be walked over several times."""

    problems: list[str]
    """What was wrong with the footage so far, one sentence each."""

    @property
    def description(self) -> str:
        """What is read, for people."""
        ...

    @property
    def stems(self) -> list[str]:
        """Names of all frames in order; for a video as many as its header states."""
        ...

    def identity(self, stem: str) -> str:
        """Text that changes when the picture of this frame changes."""
        ...

    def whole_identity(self) -> str:
        """Text that changes when any frame changes."""
        ...

    def walk(
        self, start: int, stop: int | None, wanted: Wanted, *, deep: bool = False
    ) -> Iterator[DstFrame]:
        """Frames number `start` up to and without `stop` whose names are wanted; `deep`: with 16 bits too."""
        ...

    def jump(self, stem: str) -> DstFrame | None:
        """A frame by its name, if it can be had without walking to it; only for looking."""
        ...


@dataclass
class PictureFrames:
    """Frames that lie in `data_dst` as pictures."""

    paths: list[Path]
    problems: list[str] = field(default_factory=list[str])
    _hashes: dict[str, str] = field(default_factory=dict[str, str], repr=False)

    @property
    def description(self) -> str:
        return f"{len(self.paths)} pictures in {self.paths[0].parent}"

    @property
    def stems(self) -> list[str]:
        return [path.stem for path in self.paths]

    def identity(self, stem: str) -> str:
        """Hash of the content: pictures without compression all have one size."""
        if stem not in self._hashes:
            self._hashes[stem] = sha256_of(self._by_stem[stem])
        return self._hashes[stem]

    def whole_identity(self) -> str:
        listing = "|".join(f"{path.name}:{self.identity(path.stem)}" for path in self.paths)
        return hashlib.sha256(listing.encode()).hexdigest()

    @functools.cached_property
    def _by_stem(self) -> dict[str, Path]:
        return {path.stem: path for path in self.paths}

    def walk(
        self, start: int, stop: int | None, wanted: Wanted, *, deep: bool = False
    ) -> Iterator[DstFrame]:
        for path in self.paths[start:stop]:
            if not wanted(path.stem):
                continue
            try:
                image = read_image(path)
            except MediaError as error:
                self.problems.append(str(error))
                continue
            yield DstFrame(path.stem, image)

    def jump(self, stem: str) -> DstFrame | None:
        """Leaves it to `walk`, which reads no other pictures on its way."""
        return None


@dataclass
class VideoFrames:
    """Frames straight from the dst videos, one after the other."""

    videos: list[tuple[Path, str]]
    """Each video with the prefix of its frames' names."""

    problems: list[str] = field(default_factory=list[str])

    @property
    def description(self) -> str:
        return " + ".join(path.name for path, _ in self.videos)

    @property
    def stems(self) -> list[str]:
        return [
            frame_name(prefix, index)
            for path, prefix in self.videos
            for index in range(VideoReader(path).info.n_frames_estimate)
        ]

    def identity(self, stem: str) -> str:
        return self._hashes

    def whole_identity(self) -> str:
        return self._hashes

    @functools.cached_property
    def _hashes(self) -> str:
        return "|".join(sha256_of(path) for path, _ in self.videos)

    def walk(
        self, start: int, stop: int | None, wanted: Wanted, *, deep: bool = False
    ) -> Iterator[DstFrame]:
        before = 0
        for path, prefix in self.videos:
            reader = VideoReader(path)
            n_read = 0

            def is_wanted(index: int, prefix: str = prefix, before: int = before) -> bool:
                nonlocal n_read
                n_read = max(n_read, index + 1)
                return before + index >= start and wanted(frame_name(prefix, index))

            end = None if stop is None else max(stop - before, 0)
            for frame in reader.frames(0, end, wanted=is_wanted, deep=deep):
                yield DstFrame(frame_name(prefix, frame.index), frame.image, frame.deep)
            self.problems.extend(reader.problems)
            before += n_read
            if stop is not None and before >= stop:
                return

    def jump(self, stem: str) -> DstFrame | None:
        for path, prefix in self.videos:
            number = stem.removeprefix(prefix)
            if not stem.startswith(prefix) or not number.isdecimal():
                continue
            image = self._seekers[path].image(int(number) - 1)
            if image is not None:
                return DstFrame(stem, image)
        return None

    @functools.cached_property
    def _seekers(self) -> dict[Path, FrameSeeker]:
        return {path: FrameSeeker(path) for path, _ in self.videos}


def frame_name(prefix: str, index: int) -> str:
    """Name of a video's frame, as `extract` writes it into the face files."""
    return f"{prefix}{index + 1:05d}"


def dst_frames(workspace: Workspace, source: FrameSource) -> DstFrames:
    """The dst footage of a workspace.

    Raises:
        WorkspaceError: There is none of the wanted kind; the sentence says what to add.
        MediaError: A dst video is not one.
    """
    folder = workspace.frames_dir(Side.DST)
    pictures = [] if source is FrameSource.VIDEO else list_frames(folder)
    if pictures:
        return PictureFrames(_unique(pictures))
    videos = [] if source is FrameSource.PICTURES else workspace.videos(Side.DST)
    if videos:
        for path in videos:
            VideoReader(path)
        return VideoFrames([(path, workspace.frame_prefix(path)) for path in videos])
    wanted = {
        FrameSource.PICTURES: f"no pictures in {folder}; put the dst frames there",
        FrameSource.VIDEO: f"no data_dst video in {workspace.root}; put data_dst.mp4 there",
        FrameSource.AUTO: f"neither a data_dst video in {workspace.root} nor pictures in {folder}; "
        "put data_dst.mp4 into the workspace",
    }[source]
    raise WorkspaceError(f"There are no dst frames to merge into: {wanted}.")


def _unique(paths: list[Path]) -> list[Path]:
    """Refuse two pictures whose merged frames would get the same name."""
    seen: dict[str, Path] = {}
    for path in paths:
        other = seen.setdefault(path.stem, path)
        if other is not path:
            raise WorkspaceError(
                f"{other.name} and {path.name} in {path.parent} are the same frame twice; "
                "remove one of them."
            )
    return paths
