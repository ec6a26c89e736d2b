# pyright: strict
"""Frames as an animated GIF, for places that show no videos."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, cast

import numpy as np

from dflcolab.arrays import Array

FRAMES_PER_SECOND = Fraction(25, 2)
"""GIFs count in hundredths of a second, and at more than that they become large and stutter."""

_COLORS = 256
_SAMPLED = 16


def gif_bytes(images: Iterable[Array], times: list[Fraction], end: Fraction, note: str) -> bytes:
    """The content of a GIF file that plays over and over.

    All frames share one palette, so that colors do not jump from frame to frame.

    Args:
        images: BGR pictures `[H, W, 3]`, uint8, of one size.
        times: When each is shown, in seconds, rising.
        end: When the last one stops being shown.
        note: Text kept in the file.
    """
    from PIL import Image as PillowImage

    pictures = [PillowImage.fromarray(image[..., ::-1]) for image in images]
    step = max(1, len(pictures) // _SAMPLED)
    mosaic = np.concatenate([np.asarray(picture) for picture in pictures[::step]])
    palette = PillowImage.fromarray(mosaic).quantize(_COLORS)
    dither = PillowImage.Dither.FLOYDSTEINBERG
    reduced = [picture.quantize(palette=palette, dither=dither) for picture in pictures]
    ticks = [round(time * 100) for time in (*times, end)]
    durations = [10 * max(2, after - here) for here, after in itertools.pairwise(ticks)]
    stream = io.BytesIO()
    cast(Any, reduced[0]).save(
        stream,
        format="GIF",
        save_all=True,
        append_images=reduced[1:],
        duration=durations,
        loop=0,
        comment=note.encode(),
        optimize=False,
        disposal=1,
    )
    return stream.getvalue()
