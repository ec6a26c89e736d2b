# pyright: strict
"""Findings beside the loss: masks or colors that do not come, and faces that training lacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dflcolab.watch.intervals import interval_of
from dflcolab.watch.looks import Look, Sample

_MASK_ERROR = 0.1  # a tenth of the area of both masks together
_NOTICEABLE = 2.3  # just noticeable difference of colors, in Lab
_TIMES = 2.0
_HARD = 1.5


class Finding(NamedTuple):
    """What was found, and what to do."""

    evidence: str
    advice: str


def mask_problem(look: Look, side: str, names: Sequence[str] = ()) -> Finding | None:
    """Says if the painted masks do not come near the masks of the faces.

    Args:
        look: The last one.
        side: `src` or `dst`.
        names: What the held-out stretches are called, in order; empty: by their numbers.
    """
    held_out, training = (_error(look, side, group) for group in ("held_out", "training"))
    if held_out is None or training is None:
        return None
    known, among = interval_of(training), interval_of(held_out)
    if known.low > _MASK_ERROR:
        return Finding(
            f"{side}: even on training faces {_percent(known.value)} of the area of painted and given masks "
            f"is in only one of them ({_percent(known.low)} to {_percent(known.high)}).",
            f"Look at the masks of {side}: hull masks beside XSeg masks, or masks of other outlines "
            "from face to face, cannot be learned; apply one XSeg model to all faces.",
        )
    middle = float(np.median(held_out.means))
    odd = [i for i, e in enumerate(held_out.means) if e > max(3 * middle, _MASK_ERROR)]
    if odd and len(odd) * 3 <= len(held_out.means):
        called = " and of ".join(_name(held_out, place, names) for place in odd)
        return Finding(
            f"{side}: the masks of {called} differ from what the model learned from the others "
            f"({_percent(max(held_out.means))} of the area, "
            f"{_percent(middle)} in the middle stretch).",
            f"Look at the masks of {side} there: they are missing, turned around or of another "
            "outline; label some of them for XSeg and apply it again.",
        )
    if among.low > _MASK_ERROR and among.low > _TIMES * known.value:
        return Finding(
            f"{side}: on held-out faces {_percent(among.value)} of the area of painted and given masks is in "
            f"only one of them ({_percent(among.low)} to {_percent(among.high)}), on training faces "
            f"{_percent(known.value)}.",
            f"Give {side} more faces of other angles with masks, or apply XSeg masks to all of them.",
        )
    return None


def color_problem(look: Look, side: str) -> Finding | None:
    """Says if held-out faces come in colors that training faces do not have."""
    held_out, training = (
        look.measures.get(f"{side}/{group}/color") for group in ("held_out", "training")
    )
    if held_out is None or training is None or len(held_out.means) < 2:
        return None
    among, known = interval_of(held_out), interval_of(training)
    if not (among.low > _NOTICEABLE and among.low > _TIMES * known.value):
        return None
    return Finding(
        f"{side}: the mean color of painted held-out faces is {among.value:.1f} ({among.low:.1f} to "
        f"{among.high:.1f}) from theirs in Lab, that of training faces {known.value:.1f}; "
        f"{_NOTICEABLE} is just visible.",
        f"The held-out faces of {side} are in light that training faces lack: add faces in such "
        "light, or try random_hsv_power or a color transfer (ct_mode).",
    )


def missing_kind(sample: Sample, names: Sequence[str]) -> str:
    """Which held-out stretch is much harder than the others, as part of a sentence; may be empty."""
    middle = float(np.median(sample.means))
    hardest = int(np.argmax(sample.means))
    if len(sample.means) < 3 or sample.means[hardest] < _HARD * middle:
        return ""
    times = f"{sample.means[hardest] / middle:.1f} times the middle one"
    return f"above all faces like those of {_name(sample, hardest, names)}: their loss is {times}"


def _name(sample: Sample, place: int, names: Sequence[str]) -> str:
    """What the stretch at a place in a sample is called; stretches without a mask may be left out."""
    if len(names) == len(sample.means):
        return names[place]
    return f"held-out stretch {place + 1}"


def _error(look: Look, side: str, group: str) -> Sample | None:
    """Share of the area of both masks that is in one of them only."""
    found = look.measures.get(f"{side}/{group}/mask_iou")
    if found is None or len(found.means) < 2:
        return None
    return Sample(tuple(1 - mean for mean in found.means), found.counts)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
