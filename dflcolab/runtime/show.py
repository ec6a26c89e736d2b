"""Results inside a notebook page: sentences, pictures, videos; and failures as one red sentence."""

from __future__ import annotations

import base64
import html
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dflcolab.arrays import Image
from dflcolab.errors import DFLColabError
from dflcolab.words import as_size

MAX_PICTURE_BYTES = 150_000
MAX_VIDEO_BYTES = 8_000_000
_STYLE = "font-family:sans-serif;line-height:1.5;max-width:60em;"


class StoppedCellError(DFLColabError):
    """Ends a cell, and with it "Run all", after the reason has been shown.

    IPython asks the exception itself how to be drawn; the answer is the one sentence.
    """

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def show(markup: str) -> None:
    """Show HTML below the cell."""
    from IPython.display import HTML, display

    display(HTML(f'<div style="{_STYLE}">{markup}</div>'))


def show_text(text: str) -> None:
    """Show sentences, one per line."""
    show("<br>".join(html.escape(line) for line in text.splitlines()))


def show_box(title: str, paragraphs: Sequence[str]) -> None:
    """Show a framed notice."""
    body = "".join(f"<p>{html.escape(text)}</p>" for text in paragraphs if text)
    show(
        '<div style="border:2px solid #b45309;border-radius:6px;padding:0 1em">'
        f"<h3>{html.escape(title)}</h3>{body}</div>"
    )


def show_failure(error: DFLColabError) -> None:
    """Show the sentence in red, and the traceback folded away behind it."""
    details = html.escape("".join(traceback.format_exception(error)))
    show(
        f'<p style="color:#b91c1c"><b>{html.escape(str(error))}</b></p>'
        f"<details><summary>Details for a report</summary><pre>{details}</pre></details>"
    )


def show_page(path: Path) -> None:
    """Show a self-contained HTML page in a frame of its own, in which no script runs."""
    page = html.escape(path.read_text(encoding="utf-8"), quote=True)
    show(
        f'<iframe sandbox="" title="{html.escape(path.name)}" srcdoc="{page}" '
        'style="width:100%;height:40em;border:1px solid #ccc"></iframe>'
    )


def show_picture(image: Image) -> None:
    """Show a BGR picture as a JPEG of at most 150 kB, so that the notebook stays small."""
    from IPython.display import Image as Picture
    from IPython.display import display

    display(Picture(data=small_jpeg(image)))


def show_video(path: Path) -> None:
    """Show a video in the page; one too large for it is named instead."""
    size = path.stat().st_size
    if size > MAX_VIDEO_BYTES:
        show_text(f"{path} ({as_size(size)}) is too large for this page; open it from its folder.")
        return
    data = base64.b64encode(path.read_bytes()).decode()
    show(f'<video controls width="640" src="data:video/mp4;base64,{data}"></video>')


def small_jpeg(image: Image, *, max_bytes: int = MAX_PICTURE_BYTES) -> bytes:
    """A BGR picture as a JPEG that stays below a size: lower quality first, then half the pixels."""
    return small_jpegs([image], max_bytes=max_bytes)[0]


def small_jpegs(images: Sequence[Image], *, max_bytes: int = MAX_PICTURE_BYTES) -> list[bytes]:
    """Pictures to be compared, as JPEGs of the same quality that each stay below a size."""
    while True:
        for quality in (90, 80, 65, 50):
            settings = [cv2.IMWRITE_JPEG_QUALITY, quality]
            data = [cv2.imencode(".jpg", image, settings)[1].tobytes() for image in images]
            smallest = min(min(image.shape[:2]) for image in images)
            if max(map(len, data)) <= max_bytes or smallest < 32:
                return data
        images = [_half(image) for image in images]


def _half(image: Image) -> Image:
    height, width = image.shape[:2]
    half: Any = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return half


def contact_sheet(images: Iterator[Image], *, columns: int = 8, width: int = 112) -> Image | None:
    """Pictures in rows, each scaled into a tile of the first one's shape; None without any."""
    tiles: list[Image] = []
    shape = (0, 0)
    for image in images:
        if not tiles:
            shape = (max(1, round(width * image.shape[0] / image.shape[1])), width)
        tiles.append(_fitted(image, shape))
    if not tiles:
        return None
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    return np.vstack(rows)


def _fitted(image: Image, shape: tuple[int, int]) -> Image:
    """The picture in the middle of a black tile of `shape` (height, width)."""
    height, width = image.shape[:2]
    scale = min(shape[0] / height, shape[1] / width)
    inner_height, inner_width = max(1, round(height * scale)), max(1, round(width * scale))
    small = cv2.resize(image, (inner_width, inner_height), interpolation=cv2.INTER_AREA)
    tile = np.zeros((*shape, 3), np.uint8)
    top, left = (shape[0] - inner_height) // 2, (shape[1] - inner_width) // 2
    tile[top : top + inner_height, left : left + inner_width] = small
    return tile
