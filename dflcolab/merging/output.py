# pyright: strict
"""Where merged frames go: pictures on the disk, or whatever else takes them in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image
from dflcolab.files import write_bytes
from dflcolab.media.frame_sequence import encode_image
from dflcolab.merging.frame_source import DstFrame
from dflcolab.merging.job import MergeJob
from dflcolab.merging.journal import Done, MergeJournal

Deliver = Callable[[], None]
"""The rest of the work on a frame, done by one thread in the order of the frames."""


@dataclass(frozen=True)
class MergedFrame:
    """A frame with its new faces.

    Attributes:
        frame: As it was.
        image: BGR `[H, W, 3]`, uint8.
        mask: `[H, W]`, uint8, 255 = face.
        n_faces: Faces that were replaced.
        key: Of everything that the frame depends on.
    """

    frame: DstFrame
    image: Image
    mask: npt.NDArray[np.uint8]
    n_faces: int
    key: str


class MergeOutput(Protocol):
    """Takes merged frames, and knows which of them an earlier run left.

    A context manager: what was taken counts only when the context ends.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def begin(self, stems: Sequence[str], key_of: Callable[[str], str]) -> int:
        """Told before the first frame what is wanted.

        Args:
            stems: Frames that are asked for, as far as the footage's head names them.
            key_of: Gives the key of any frame of the footage.

        Returns:
            Frames that were merged before, but with something else than now.
        """
        ...

    def describe_run(self, facts: Mapping[str, Any]) -> None:
        """Write down what this run was asked for."""
        ...

    def holds(self, stem: str, key: str) -> bool:
        """Whether the frame stands, and depends on nothing else than the key says."""
        ...

    def prepare(self, merged: MergedFrame) -> Deliver | None:
        """Take a frame; called by several threads, in any order. What must be in order is given back."""
        ...


class PictureOutput:
    """Each frame a signed picture in `data_dst/merged`, and its mask beside it."""

    def __init__(self, job: MergeJob) -> None:
        self._stamp = job.stamp
        self._journal = MergeJournal(job.folder, job.mask_folder)

    def __enter__(self) -> Self:
        self._journal.__enter__()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._journal.__exit__(error_type, error, traceback)

    def begin(self, stems: Sequence[str], key_of: Callable[[str], str]) -> int:
        return self._journal.n_outdated({stem: key_of(stem) for stem in stems})

    def describe_run(self, facts: Mapping[str, Any]) -> None:
        self._journal.describe_run(facts)

    def holds(self, stem: str, key: str) -> bool:
        return self._journal.holds(stem, key)

    def prepare(self, merged: MergedFrame) -> Deliver | None:
        """Write and note the frame."""
        stem = merged.frame.stem
        mask_data = encode_image(merged.mask, ".png")
        write_bytes(self._journal.mask_path(stem), mask_data, durable=False)
        path = self._journal.picture_path(stem)
        data = encode_image(merged.image, ".png")
        if self._stamp is not None:
            data = self._stamp(data, path.name, merged.n_faces)
        write_bytes(path, data, durable=False)
        self._journal.note(stem, Done(merged.key, len(data), len(mask_data)))
        return None
