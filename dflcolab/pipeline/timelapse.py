# pyright: strict
"""A model's previews one after the other as a video, the iteration written below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from dflcolab.arrays import Image
from dflcolab.errors import DFLColabError, ModelError
from dflcolab.media.config import VideoCodec
from dflcolab.media.encoders import choose_encoder
from dflcolab.media.frame_sequence import read_image
from dflcolab.media.provenance import PLAIN_NOTE
from dflcolab.media.signed_file import remove_unsigned, signed_when_done
from dflcolab.media.video_writer import VideoWriter
from dflcolab.pipeline.training_history import read_history
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Workspace, require_rights

_SECONDS = 20
_RATES = (4, 25)
_LAST_SECONDS = 2
_LARGEST = 1920
_STRIP = 40
_GROUND = (28, 24, 22)
_INK = (228, 233, 235)
_DESCRIPTION = "Faces as a model painted them while it was trained."


@dataclass(frozen=True)
class TimelapseReport:
    """What was written.

    Attributes:
        model: Name of the model.
        path: The video.
        frames: Previews that it shows.
        first: Iteration of the first one.
        last: Iteration of the last one.
        seconds: Length.
        width: In pixels.
        height: In pixels.
        provenance: State of the signed note, read back: "valid".
        problems: Previews that cannot be read, one sentence each.
    """

    model: str
    path: Path
    frames: int
    first: int
    last: int
    seconds: float
    width: int
    height: int
    provenance: str
    problems: tuple[str, ...]

    def summary(self) -> str:
        """The report in a few lines."""
        first = (
            f"Wrote {self.path} ({self.frames} previews from iteration {self.first:,} to "
            f"{self.last:,}, {self.seconds:.1f} s, {self.width}x{self.height}, signed)."
        )
        return "\n".join([first, *self.problems])


def timelapse(
    workspace: Workspace, name: str, *, progress: Progress | None = None
) -> TimelapseReport:
    """Write `history/<model>/timelapse.mp4` from the previews that training kept.

    About 20 seconds, 4 to 25 previews a second, the last one longer. All are brought to the size of
    the last one, with a border where the shape differs. As every video that shows synthetic faces, it
    carries a signed note that says so, and appears only once it is signed.

    Raises:
        RightsError: The rights of a person are not recorded.
        ModelError: There is no such model, or fewer than two previews of it.
        MediaError: The encoder is missing, or the note does not read back; an earlier video stays.
        StorageError: The disk is full; an earlier video stays.
        Interrupted: Asked to stop; an earlier video stays.
    """
    progress = progress or Progress()
    require_rights(workspace)
    history = read_history(workspace, name)
    problems: list[str] = []
    chosen = [entry for entry in _chosen(history.previews) if _is_readable(entry[1], problems)]
    if len(chosen) < 2:
        raise ModelError(
            f"There are fewer than two previews of {name} in {workspace.history_dir / name}; train "
            "on with --preview-every N, which keeps one every N iterations."
        )
    rate = min(max(len(chosen) // _SECONDS, _RATES[0]), _RATES[1])
    path = workspace.history_dir / name / "timelapse.mp4"
    width, height = _size(read_image(chosen[-1][1]))
    title = f"{name}: {path.name}"
    remove_unsigned(path.parent)
    with signed_when_done(path, title=title, description=_DESCRIPTION) as file:
        writer = VideoWriter(
            file.unsigned,
            width=width,
            height=height,
            encoder=choose_encoder(VideoCodec.H264),
            rate=Fraction(rate),
            time_base=Fraction(1, rate),
            metadata={"comment": PLAIN_NOTE},
        )
        said = f"Writing {path.name}"
        with writer, progress.task(said, total=len(chosen), unit="previews") as task:
            for number, (iteration, preview) in enumerate(chosen):
                progress.raise_if_stopped()
                is_last = number == len(chosen) - 1
                writer.write(
                    fitted(read_image(preview), iteration, (width, height)),
                    Fraction(number, rate),
                    Fraction(_LAST_SECONDS) if is_last else None,
                )
                task.advance()
    return TimelapseReport(
        model=name,
        path=path,
        frames=len(chosen),
        first=chosen[0][0],
        last=chosen[-1][0],
        seconds=float(Fraction(len(chosen) - 1, rate) + _LAST_SECONDS),
        width=width,
        height=height,
        provenance=file.state,
        problems=tuple(problems),
    )


def fitted(picture: Image, iteration: int, size: tuple[int, int]) -> Image:
    """A preview as large as fits, centered, with its iteration in the corner of a strip below.

    Args:
        picture: BGR, `[H, W, 3]`.
        iteration: To be written.
        size: Width and height of the result, strip included.
    """
    width, height = size
    room = height - _STRIP
    scale = min(width / picture.shape[1], room / picture.shape[0])
    new = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    if scale != 1:
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        picture = cv2.resize(picture, new, interpolation=way).astype(np.uint8, copy=False)
    frame = np.full((height, width, 3), _GROUND, np.uint8)
    top, left = (room - picture.shape[0]) // 2, (width - picture.shape[1]) // 2
    frame[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    text, font = f"iteration {iteration:,}", cv2.FONT_HERSHEY_SIMPLEX
    (text_width, text_height), _ = cv2.getTextSize(text, font, 0.6, 1)
    letters = min(1.0, (width - 16) / text_width)
    place = (width - 8 - round(text_width * letters), room + (_STRIP + text_height) // 2)
    cv2.putText(frame, text, place, font, 0.6 * letters, _INK, 1, cv2.LINE_AA)
    return frame


def _chosen(previews: Sequence[tuple[int, Path]]) -> list[tuple[int, Path]]:
    """At most as many as fit, evenly spread, the last one with them."""
    most = _SECONDS * _RATES[1]
    places = np.linspace(0, len(previews) - 1, min(len(previews), most)).round()
    return [previews[int(place)] for place in places.tolist()]


def _is_readable(path: Path, problems: list[str]) -> bool:
    try:
        read_image(path)
    except DFLColabError as error:
        problems.append(str(error))
        return False
    return True


def _size(picture: Image) -> tuple[int, int]:
    """Width and height of the video: even, so that nothing has to be repeated."""
    height, width = picture.shape[:2]
    shrink = min(1.0, _LARGEST / max(height, width))
    return round(width * shrink / 2) * 2, round(height * shrink / 2) * 2 + _STRIP
