# pyright: strict
"""Merged frames straight into encoded parts of the result, each noted once it stands.

A thread of its own encodes, so that networks, composing and encoding go on at once. Only few frames
wait for it.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import DeepImage, Image
from dflcolab.media.depth import with_fine_values
from dflcolab.merging.journal import Done, MergeJournal
from dflcolab.merging.output import Deliver, MergedFrame
from dflcolab.merging.parts import Part, part_key

_WAITING = 4
"""Frames that may wait to be encoded."""


class PartWriter(Protocol):
    """Encodes the frames of a part."""

    def write(self, image: Image | DeepImage, mask: npt.NDArray[np.uint8], index: int) -> None:
        """Append a frame.

        Args:
            image: BGR, uint8 or uint16.
            mask: `[H, W]`, uint8.
            index: Number of the frame within its video.
        """
        ...


OpenPart = Callable[[Part, tuple[int, int]], AbstractContextManager[PartWriter]]
"""Opens the files of a part whose frames have this height and width. They stand once the context ends
well; otherwise there is nothing new."""


@dataclass(frozen=True)
class PartCoding:
    """How the parts of a video are encoded.

    Attributes:
        facts: All that the files depend on beside their frames, as text.
        deep: Pictures keep the fine values of a video with more than eight bits.
    """

    facts: str
    deep: bool = False


@dataclass
class _Open:
    """The part that is being encoded."""

    part: Part
    writer: PartWriter
    stack: ExitStack
    keys: list[str] = field(default_factory=list[str])


class PartOutput:
    """Takes the frames of the wanted parts.

    Args:
        journal: Of the parts' files.
        parts: All parts of the footage, in order.
        wanted: Those that are to be made or kept now.
        codings: How each video is encoded.
        open_part: Opens the files of a part.
        masked: Whether parts have masks.
    """

    def __init__(
        self,
        journal: MergeJournal,
        parts: Sequence[Part],
        wanted: Sequence[Part],
        codings: Sequence[PartCoding],
        open_part: OpenPart,
        *,
        masked: bool,
    ) -> None:
        self.standing: set[str] = set()
        """Names of the parts that stand and are as they should be."""

        self.short: set[str] = set()
        """Names of those among them that hold fewer frames than was thought: the video ended."""

        self._journal = journal
        self._parts = parts
        self._wanted = {part.name for part in wanted}
        self._codings = codings
        self._open_part = open_part
        self._masked = masked
        self._part_of = {stem: part for part in parts for stem in part.stems}
        self._encoder = ThreadPoolExecutor(1, "encode")
        self._waiting: deque[Future[None]] = deque()
        self._open: _Open | None = None

    def __enter__(self) -> Self:
        self._journal.__enter__()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            try:
                if error is None:
                    self._wait(at_most=0)
                    self._close_part()
            finally:
                self._encoder.shutdown(cancel_futures=True)
                self._drop_part()
        finally:
            self._journal.__exit__(error_type, error, traceback)

    def begin(self, stems: Sequence[str], key_of: Callable[[str], str]) -> int:
        outdated = 0
        for part in self._parts:
            key = part_key(self._codings[part.video].facts, map(key_of, part.stems))
            if self._journal.holds(part.name, key):
                self.standing.add(part.name)
            elif part.name in self._wanted and self._journal.n_outdated({part.name: key}):
                outdated += len(part.stems)
        return outdated

    def describe_run(self, facts: Mapping[str, Any]) -> None:
        self._journal.describe_run(facts)

    def holds(self, stem: str, key: str) -> bool:
        """Whether the frame's part stands, or is not asked for."""
        part = self._part_of.get(stem)
        return part is None or part.name not in self._wanted or part.name in self.standing

    def prepare(self, merged: MergedFrame) -> Deliver | None:
        frame, picture = merged.frame, merged.image
        coding = self._codings[self._part_of[frame.stem].video]
        if coding.deep and frame.deep is not None and frame.deep.shape == picture.shape:
            fine = with_fine_values(picture, frame.image, frame.deep)
            return functools.partial(self._deliver, merged, fine)
        return functools.partial(self._deliver, merged, picture)

    def _deliver(self, merged: MergedFrame, picture: Image | DeepImage) -> None:
        self._waiting.append(self._encoder.submit(self._encode, merged, picture))
        self._wait(at_most=_WAITING)

    def _wait(self, *, at_most: int) -> None:
        while len(self._waiting) > at_most:
            self._waiting.popleft().result()

    def _encode(self, merged: MergedFrame, picture: Image | DeepImage) -> None:
        """In the encoding thread, frame after frame."""
        part = self._part_of[merged.frame.stem]
        if self._open is None or self._open.part is not part:
            self._close_part()
            height, width = picture.shape[:2]
            with ExitStack() as stack:
                writer = stack.enter_context(self._open_part(part, (height, width)))
                self._open = _Open(part, writer, stack.pop_all())
        current = self._open
        current.writer.write(picture, merged.mask, part.first + len(current.keys))
        current.keys.append(merged.key)
        if len(current.keys) == len(part.stems):
            self._close_part()

    def _close_part(self) -> None:
        """Let the open part stand. A video that ends early leaves its last part short."""
        current = self._open
        if current is None:
            return
        name = current.part.name
        current.stack.close()
        self._open = None
        key = part_key(self._codings[current.part.video].facts, current.keys)
        size = self._journal.picture_path(name).stat().st_size
        mask_size = self._journal.mask_path(name).stat().st_size if self._masked else 0
        self._journal.note(name, Done(key, size, mask_size))
        self.standing.add(name)
        if len(current.keys) < len(current.part.stems):
            self.short.add(name)

    def _drop_part(self) -> None:
        """Leave nothing of a part that is not finished."""
        current, self._open = self._open, None
        if current is None:
            return
        unfinished = _UnfinishedError()
        try:
            current.stack.__exit__(_UnfinishedError, unfinished, None)
        except _UnfinishedError:
            return


class _UnfinishedError(Exception):
    """Ends the files of a part that is not to stand."""
