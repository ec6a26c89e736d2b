# pyright: strict
"""Frames of a side by their names, from its pictures and videos."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from dflcolab.arrays import Image
from dflcolab.errors import FacesetError
from dflcolab.extraction.debug_pictures import places_of
from dflcolab.extraction.side_sources import all_sources
from dflcolab.extraction.sources import Source, SourceFrame, chosen_frames
from dflcolab.media.frame_seek import FrameSeeker
from dflcolab.workspace.workspace import Side, Workspace

_HELD_BYTES = 256 << 20
"""Frames kept in memory: some 40 of a 1080p video."""


class SideFrames:
    """Frames of a side by name; the last ones stay in memory.

    A video is read from its beginning, about a millisecond for each frame of 720p; so frames that will
    be asked for next are taken along.

    Raises:
        MediaError: A video is none.
    """

    def __init__(self, workspace: Workspace, side: Side) -> None:
        self._side = side
        self._home = workspace.frames_dir(side)
        self._sources: Sequence[Source] = all_sources(workspace, side)
        self._held: OrderedDict[str, SourceFrame] = OrderedDict()
        self._videos = {path.name: path for path in workspace.videos(side)}
        self._seekers: dict[str, FrameSeeker] = {}

    def get(self, stem: str, next_stems: Iterable[str] = ()) -> SourceFrame:
        """A frame.

        Args:
            stem: Its name without ending.
            next_stems: Frames that are read on the way.

        Raises:
            FacesetError: It is neither among the side's pictures nor in its videos.
        """
        if stem not in self._held:
            for frame in self.read([stem, *next_stems]):
                self._hold(frame)
        if stem not in self._held:
            raise FacesetError(
                f"The frame {stem} is neither among the pictures of {self._side.value} nor in its videos; "
                f"put the video back as {self._home.name}.mp4 (in a notebook: give it as "
                f"{self._side.value}_video in the cell that opens the workspace, and run that cell), or "
                f"the picture into {self._home}."
            )
        self._held.move_to_end(stem)
        return self._held[stem]

    def glance(self, stem: str) -> Image:
        """A frame's picture for looking only, `[H, W, 3]`, uint8, BGR; not to be drawn on.

        A video is not read from its beginning but jumped into, so that late frames of long ones come at
        once; inside of a damaged one that may be another frame than `get` gives.

        Raises:
            FacesetError: It is neither among the side's pictures nor in its videos.
            MediaError: A video is gone.
        """
        jumped = None if stem in self._held else self._jumped(stem)
        return self.get(stem).image if jumped is None else jumped

    def _jumped(self, stem: str) -> Image | None:
        """The picture, if the frame is one of a video that can be jumped into."""
        for name, keys in places_of([stem], self._sources).items():
            if name in self._videos and keys:
                if name not in self._seekers:
                    self._seekers[name] = FrameSeeker(self._videos[name])
                return self._seekers[name].image(int(next(iter(keys))))
        return None

    def read(self, stems: Iterable[str]) -> Generator[SourceFrame]:
        """Frames in the order of their sources; such as nobody has are left out."""
        places = places_of(dict.fromkeys(stems), self._sources)
        with ThreadPoolExecutor(2) as pool:
            for source in self._sources:
                if places[source.name]:
                    yield from chosen_frames(source, places[source.name], pool)

    def _hold(self, frame: SourceFrame) -> None:
        self._held[frame.stem] = frame
        while (
            len(self._held) > 1
            and sum(held.image.nbytes for held in self._held.values()) > _HELD_BYTES
        ):
            self._held.popitem(last=False)
