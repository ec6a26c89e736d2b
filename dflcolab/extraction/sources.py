"""Where frames come from: a video, or a folder of pictures, each with what is already done."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Generator, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from dflcolab.arrays import Image
from dflcolab.errors import MediaError
from dflcolab.media.frame_sequence import read_image
from dflcolab.media.video_reader import VideoReader
from dflcolab.pipes import map_ordered

_HASHED_BYTES = 1 << 20
_NUMBER = re.compile(r"[0-9]{1,15}")
_NUMBERED = re.compile(r"^(.*?)(\d{4,})$")

PICTURES = "pictures"
"""Name of the folder of pictures in the journal."""

PHOTOS = "photos/"
"""What the names of appended folders of photos begin with in the journal."""


@dataclass(frozen=True, eq=False)
class SourceFrame:
    """A frame and where it belongs.

    Attributes:
        key: Its name in the journal.
        stem: What its face files' names begin with.
        filename: Name that the frame has, or would have, as a file.
        position: Place in the sequence of frames that are looked at, from 0.
        image: `[H, W, 3]` BGR.
        provenance: Which video, which frame, at what time.
        done: Looked at in an earlier run; here only as the predecessor of the next one.
        single: Continues no other frame (a photograph).
    """

    key: str
    stem: str
    filename: str
    position: int
    image: Image
    provenance: dict[str, object] = field(default_factory=dict[str, object])
    done: bool = False
    single: bool = False


class Source(Protocol):
    """What the extraction needs to know of a source of frames."""

    name: str
    fps: float | None
    problems: list[str]

    @property
    def identity(self) -> Any:
        """JSON value by which the same material is recognised later."""
        ...

    @property
    def n_frames(self) -> int | None:
        """Frames to look at in all, as far as known."""
        ...

    def key_of(self, stem: str) -> str | None:
        """Key of the frame of that name; None if the frame is none of this source."""
        ...

    def frames(
        self, done: Collection[str], last: str | None, pool: Executor
    ) -> Iterable[SourceFrame]:
        """Frames that are not done, in order, and before them the one called `last`."""
        ...


class VideoSource:
    """A video as a source.

    Args:
        path: The video.
        prefix: What its frames' names begin with.
        fps: Frames per second to look at; None for all.

    Raises:
        MediaError: Not a video.
    """

    def __init__(self, path: Path, prefix: str, fps: float | None) -> None:
        self.name = path.name
        self.problems: list[str] = []
        self._path = path
        self._prefix = prefix
        self.fps = fps
        self._reader = VideoReader(path)

    @property
    def identity(self) -> Any:
        with self._path.open("rb") as stream:
            head = hashlib.sha256(stream.read(_HASHED_BYTES)).hexdigest()
        return [self._path.stat().st_size, head]

    @property
    def n_frames(self) -> int | None:
        info = self._reader.info
        if self.fps is None:
            return info.n_frames_estimate
        if not info.duration_s:
            return None
        n_thinned = max(1, round(float(info.duration_s) * self.fps))
        return min(n_thinned, info.n_frames_estimate or n_thinned)

    def key_of(self, stem: str) -> str | None:
        number = stem.removeprefix(self._prefix)
        if not stem.startswith(self._prefix) or not _NUMBER.fullmatch(number) or not int(number):
            return None
        return str(int(number) - 1)

    def frames(
        self, done: Collection[str], last: str | None, pool: Executor
    ) -> Generator[SourceFrame, None, None]:
        position = -1

        def wanted(index: int) -> bool:
            nonlocal position
            position += 1
            key = str(index)
            return key == last or key not in done

        walk = self._reader.frames(fps=self.fps, wanted=wanted)
        for frame in walk:
            key = str(frame.index)
            stem = f"{self._prefix}{frame.index + 1:05d}"
            yield SourceFrame(
                key=key,
                stem=stem,
                filename=stem + ".png",
                position=position,
                image=frame.image,
                provenance={
                    "video": self.name,
                    "frame_index": frame.index,
                    "time_s": round(float(frame.time), 6),
                },
                done=key in done,
            )
        self.problems.extend(self._reader.problems)


class PictureSource:
    """A folder of pictures as a source.

    Pictures with at least four digits at the end of their names that follow each other by number
    are frames of a video and are tracked; all others are photographs, each looked at by itself.

    Args:
        paths: The pictures in order.
        label: Name of an appended folder of photos: their frames' names begin with it. None for the
            side's own pictures, whose names are the frames' names.
    """

    def __init__(self, paths: Iterable[Path], *, label: str | None = None) -> None:
        self.name = PICTURES if label is None else PHOTOS + label
        self.fps: float | None = None
        self.problems: list[str] = []
        self._label = label
        self._prefix = "" if label is None else f"{label}-"
        self._paths: list[Path] = []
        self._by_stem: dict[str, Path] = {}
        for path in paths:
            other = self._by_stem.setdefault(path.stem, path)
            if other is path:
                self._paths.append(path)
            else:
                self.problems.append(
                    f"{path.name} is left out: {other.name} has the same name but for the ending."
                )

    @property
    def identity(self) -> Any:
        return None

    @property
    def n_frames(self) -> int | None:
        return len(self._paths)

    @property
    def keys(self) -> list[str]:
        """Keys of all frames, in order."""
        return [path.name for path in self._paths]

    def key_of(self, stem: str) -> str | None:
        if not stem.startswith(self._prefix):
            return None
        path = self._by_stem.get(stem.removeprefix(self._prefix))
        return None if path is None else path.name

    def frames(
        self, done: Collection[str], last: str | None, pool: Executor
    ) -> Generator[SourceFrame, None, None]:
        jobs = [
            (position, path, _follows(self._paths, position))
            for position, path in enumerate(self._paths)
            if path.name == last or path.name not in done
        ]
        for (position, path, follows), image in map_ordered(pool, _read, jobs, 4):
            if isinstance(image, MediaError):
                self.problems.append(f"{image} It is left out.")
                continue
            yield SourceFrame(
                key=path.name,
                stem=self._prefix + path.stem,
                filename=self._prefix + path.name,
                position=position,
                image=image,
                provenance=self._provenance(path, position),
                done=path.name in done,
                single=not follows,
            )

    def _provenance(self, path: Path, position: int) -> dict[str, object]:
        """Place among the side's pictures; for photos their name, as their place may change."""
        if self._label is None:
            return {"frame_index": position}
        return {"photos": self._label, "photo": path.name}


class _AllBut(Collection[str]):
    """Says of every key that it is done, except for those wanted."""

    def __init__(self, wanted: Collection[str]) -> None:
        self._wanted = wanted

    def __contains__(self, key: object) -> bool:
        return key not in self._wanted

    def __iter__(self) -> Iterator[str]:
        raise TypeError("nobody can list all other frames")

    def __len__(self) -> int:
        raise TypeError("nobody can count all other frames")


def chosen_frames(
    source: Source, keys: Collection[str], pool: Executor
) -> Generator[SourceFrame, None, None]:
    """Some frames of a source, in order; reading ends behind the last of them.

    Args:
        source: Where they come from.
        keys: Their keys; those that the source does not have, or cannot read, are left out.
        pool: Decodes pictures.
    """
    missing = set(keys)
    frames = iter(source.frames(_AllBut(frozenset(keys)), None, pool))
    try:
        while missing and (frame := next(frames, None)) is not None:
            missing.discard(frame.key)
            yield frame
    finally:
        close = getattr(frames, "close", None)
        if close is not None:
            close()


def stem_of_key(source_name: str, key: str, video_prefix: str) -> str:
    """Name of a frame without its ending, from what the journal says; the source may be gone.

    Args:
        source_name: Name of the source in the journal.
        key: Key of the frame in the journal.
        video_prefix: What the frames' names begin with if the source is a video.

    Raises:
        ValueError: A video's key that is no number.
    """
    if source_name == PICTURES:
        return Path(key).stem
    if source_name.startswith(PHOTOS):
        return f"{source_name.removeprefix(PHOTOS)}-{Path(key).stem}"
    return f"{video_prefix}{int(key) + 1:05d}"


_Job = tuple[int, Path, bool]


def _read(job: _Job) -> tuple[_Job, Image | MediaError]:
    try:
        return job, read_image(job[1])
    except MediaError as error:
        return job, error


def _follows(paths: list[Path], position: int) -> bool:
    """Whether a picture is the next frame after the one before it, judged by the names."""
    if position == 0:
        return False
    before, here = (_NUMBERED.match(path.stem) for path in paths[position - 1 : position + 1])
    return (
        before is not None
        and here is not None
        and before[1] == here[1]
        and int(here[2]) == int(before[2]) + 1
    )
