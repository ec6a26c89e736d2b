# pyright: strict
"""What the numbers of a faceset mean, in sentences, the most important first.

Each sentence follows from a number and a limit of `limits`, and says what to do about it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from dflcolab.faceset.coverage import EXPRESSIONS, FacesetSummary, Region
from dflcolab.faceset.limits import (
    BLURRED_SHARE,
    DISTINCT_FACES,
    FEW_IN_REGION,
    MANY,
    MANY_DUPLICATES,
    MANY_STRANGERS,
    SAME_LIGHT_BRIGHTNESS,
    SAME_LIGHT_DIRECTION,
    STRANGERS,
    TOO_FEW_FACES,
)


class Weight(enum.IntEnum):
    """How much a finding matters; more is worse."""

    NOTE = 1
    GAP = 2
    SERIOUS = 3


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or missing.

    Attributes:
        code: Its kind, one word, the same in every report.
        weight: How much it matters.
        text: A sentence for a person.
        advice: What to do about it.
        share: Part of the faces concerned, 0..1.
    """

    code: str
    weight: Weight
    text: str
    advice: str
    share: float = 0.0


_POSES = (Region.UP, Region.DOWN, Region.LEFT, Region.RIGHT)
_PROFILES = {Region.LEFT: Region.LEFT_PROFILE, Region.RIGHT: Region.RIGHT_PROFILE}


def findings_of(
    summary: FacesetSummary, *, needed: Collection[Region] | None = None
) -> list[Finding]:
    """What is wrong with a faceset, or missing from it.

    A dst is what it is: poses, light and copies are no fault there, and blurred frames need their
    face too.

    Args:
        summary: Its numbers.
        needed: Regions that dst shows, if there is one: what src lacks beyond these does not
            matter for this pair and becomes a note.
    """
    checks: list[Callable[[FacesetSummary], Finding | None]] = [
        _unsafe,
        _damaged,
        _mixed_types,
        _landmarks,
        _people,
        _enlarged,
        _dark,
        _burnt,
        _masks,
    ]
    if summary.side == "src":
        checks += [_few, _duplicates, _blurred, _lit_alike]
    found = [finding for check in checks if (finding := check(summary)) is not None]
    if summary.side == "src":
        found += _missing(summary, needed)
    return in_order(found)


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """The most important first: by weight, then by the share of faces concerned."""
    return sorted(findings, key=lambda finding: (-finding.weight, -finding.share))


def counted(number: int, of: int | None = None) -> str:
    """`1,900`, `1,900 of 2,400`."""
    return f"{number:,}" if of is None else f"{number:,} of {of:,}"


def faces(number: int, of: int | None = None) -> str:
    """`1 face`, `1,900 faces`, `1,900 of 2,400 faces`."""
    return f"{counted(number, of)} face{'' if (number if of is None else of) == 1 else 's'}"


def listed(words: Sequence[str], last: str = "or") -> str:
    """`a`, `a or b`, `a, b or c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def _damaged(summary: FacesetSummary) -> Finding | None:
    if not summary.damaged:
        return None
    share = summary.damaged / summary.files
    first = summary.damaged_files[0]
    which = "1 file cannot" if summary.damaged == 1 else f"{counted(summary.damaged)} files cannot"
    advice = f"`dflcolab clean --side {summary.side} --landmarks` moves such files to the trash."
    if summary.packed:
        advice = (
            f"{_after_unpacking(summary, advice)} Where the pack is cut off, `dflcolab append "
            f"--side {summary.side} --from` with the pack takes the whole faces into a new workspace."
        )
    return Finding(
        "damaged",
        Weight.SERIOUS if share > MANY.value else Weight.GAP,
        f"{which} be used ({'' if summary.damaged == 1 else 'the first: '}{first.name}: "
        f"{first.reason}).",
        advice,
        share,
    )


def _unsafe(summary: FacesetSummary) -> Finding | None:
    if not summary.unsafe.count:
        return None
    names = listed(summary.unsafe.names[:3], "and") + (" …" if summary.unsafe.count > 3 else "")
    return Finding(
        "unsafe",
        Weight.SERIOUS,
        f"The face data of {counted(summary.unsafe.count)} files ask for more than data, and were "
        f"not opened: {names}."
        if summary.unsafe.count > 1
        else f"The face data of a file ask for more than data, and were not opened: {names}.",
        "Delete them, and mistrust what came with them: in another program such files can run code.",
        summary.unsafe.count / summary.files,
    )


def _mixed_types(summary: FacesetSummary) -> Finding | None:
    if len(summary.face_types) < 2:
        return None
    parts = [f"{counted(count)} {kind}" for kind, count in summary.face_types.items()]
    common = next(iter(summary.face_types))
    return Finding(
        "mixed-types",
        Weight.GAP,
        f"The faces are of different types: {listed(parts, 'and')}.",
        _after_unpacking(
            summary,
            f"`dflcolab resize --side {summary.side} --face-type {common}` makes them alike (a type "
            "that shows more than the crop gets an empty border: extract those again); a model can "
            "use no more than the smallest type shows.",
        ),
        1.0 - max(summary.face_types.values()) / summary.faces,
    )


def _landmarks(summary: FacesetSummary) -> Finding | None:
    checked = summary.landmarks
    if checked is None or not checked.failed.count:
        return None
    share = checked.failed.count / checked.looked_at
    return Finding(
        "landmarks",
        Weight.SERIOUS if share > MANY.value else Weight.GAP,
        f"The landmarks of {faces(checked.failed.count, checked.looked_at)}"
        f"{_looked_at(checked.looked_at, summary)} do not sit where they should.",
        _after_unpacking(
            summary,
            f"`dflcolab sort --side {summary.side} --by landmark-quality` shows the worst first; "
            f"`dflcolab clean --side {summary.side} --landmarks --non-faces` "
            "removes them.",
        ),
        share,
    )


def _people(summary: FacesetSummary) -> Finding | None:
    found = summary.people
    if found is None or len(found.people) < 2:
        return None
    others = found.people[1:]
    strangers = sum(person.faces for person in others)
    share = strangers / found.looked_at
    if share < STRANGERS.value:
        return None
    who = "another person" if len(others) == 1 else f"{counted(len(others))} other people"
    return Finding(
        "people",
        Weight.SERIOUS if share >= MANY_STRANGERS.value else Weight.GAP,
        f"{faces(strangers, found.looked_at)}{_looked_at(found.looked_at, summary)} seem to "
        f"belong to {who}.",
        _after_unpacking(
            summary,
            f"`dflcolab clean --side {summary.side} --identity auto` moves them to the trash"
            + (", so that the merge leaves them alone." if summary.side == "dst" else "."),
        ),
        share,
    )


def _enlarged(summary: FacesetSummary) -> Finding | None:
    share = summary.enlarged / max(summary.faces, 1)
    if share < MANY.value or summary.enlargement is None or summary.frame_pixels is None:
        return None
    return Finding(
        "enlarged",
        Weight.GAP,
        f"{faces(summary.enlarged, summary.faces)} were enlarged: in its frame a face is "
        f"about {summary.frame_pixels.median:.0f} pixels high from brow to chin.",
        "Use footage in which the face is larger, or a model resolution that fits: more pixels "
        "than the footage has cannot be learned.",
        share,
    )


def _dark(summary: FacesetSummary) -> Finding | None:
    return _exposed(summary, "dark", summary.dark.count, "too dark to show anything in parts")


def _burnt(summary: FacesetSummary) -> Finding | None:
    return _exposed(summary, "burnt", summary.burnt.count, "burnt out in parts")


def _exposed(summary: FacesetSummary, code: str, count: int, words: str) -> Finding | None:
    if not count:
        return None
    share = count / summary.faces
    return Finding(
        code,
        Weight.GAP if share >= MANY.value else Weight.NOTE,
        f"{_are(count, summary.faces)} {words}.",
        f"Look at them (`dflcolab sort --side {summary.side} --by brightness`) and remove what "
        "shows nothing."
        if summary.side == "src"
        else "The merge has little to go by there; look at these frames first.",
        share,
    )


def _masks(summary: FacesetSummary) -> Finding | None:
    if not summary.faces or summary.xseg_masks == summary.faces:
        return None
    if summary.xseg_masks or summary.polygons:
        return Finding(
            "masks",
            Weight.NOTE,
            f"{faces(summary.xseg_masks, summary.faces)} have an XSeg mask, "
            f"{counted(summary.polygons)} only drawn outlines.",
            "Apply XSeg to all faces before training with masks, so that all are masked alike.",
        )
    return Finding(
        "masks",
        Weight.NOTE,
        "No face has an XSeg mask; the hull of the landmarks stands in for it.",
        "The hull knows neither hair nor hands before the face; draw and apply XSeg masks where "
        "something covers the face.",
    )


def _few(summary: FacesetSummary) -> Finding | None:
    if summary.distinct >= DISTINCT_FACES.value:
        return None
    return Finding(
        "few",
        Weight.GAP if summary.distinct >= TOO_FEW_FACES.value else Weight.SERIOUS,
        "There is only 1 distinct face."
        if summary.distinct == 1
        else f"There are only {counted(summary.distinct)} distinct faces.",
        "Add more footage of the same person: other light, other expressions, other angles.",
        1.0,
    )


def _duplicates(summary: FacesetSummary) -> Finding | None:
    count = summary.near_duplicates or 0
    share = count / max(summary.faces, 1)
    if share < MANY_DUPLICATES.value:
        return None
    return Finding(
        "duplicates",
        Weight.NOTE,
        f"{_are(count, summary.faces)} near-duplicates.",
        _after_unpacking(
            summary,
            "`dflcolab clean --side src --duplicates` keeps the sharpest of each group, so that "
            "training sees the rare faces more often; --dry-run shows them first, --undo brings them "
            "back.",
        ),
        share,
    )


def _blurred(summary: FacesetSummary) -> Finding | None:
    share = summary.blurred.count / max(summary.faces, 1)
    if share < BLURRED_SHARE.value:
        return None
    return Finding(
        "blurred",
        Weight.GAP if share >= MANY.value else Weight.NOTE,
        f"{_are(summary.blurred.count, summary.faces)} much less sharp than the rest.",
        _after_unpacking(
            summary, "`dflcolab clean --side src --blur` moves them to the trash; try --dry-run."
        ),
        share,
    )


def _lit_alike(summary: FacesetSummary) -> Finding | None:
    light, left, above = summary.brightness, summary.from_left, summary.from_above
    if light is None or left is None or above is None:
        return None
    if light.width >= SAME_LIGHT_BRIGHTNESS.value:
        return None
    if max(left.width, above.width) >= SAME_LIGHT_DIRECTION.value:
        return None
    return Finding(
        "light",
        Weight.NOTE,
        "All faces are lit alike.",
        "Add footage in other light if dst is lit in another way; the pair's part of this report "
        "says whether it is.",
        1.0,
    )


def _missing(summary: FacesetSummary, needed: Collection[Region] | None) -> list[Finding]:
    """Poses and expressions that are not there, and those that hardly are."""
    counts = {region: summary.regions.get(region.value, 0) for region in Region}
    poses: list[Region] = [*_POSES]
    for turned, profile in _PROFILES.items():
        if counts[turned] >= FEW_IN_REGION.value:  # without turned faces profiles go without saying
            poses.append(profile)
    found: list[Finding] = []
    for regions, advice in (
        (poses, "Add footage of the same person that shows it: these angles cannot be guessed."),
        (EXPRESSIONS, "Add footage of the same person talking, laughing and blinking."),
    ):
        for wanted in (True, False):
            part = [r for r in regions if (needed is None or r in needed) is wanted]
            found += _not_shown(part, counts, advice, wanted=wanted)
    return found


def _not_shown(
    regions: Sequence[Region], counts: dict[Region, int], advice: str, *, wanted: bool
) -> list[Finding]:
    found: list[Finding] = []
    none = [region.value for region in regions if counts[region] == 0]
    few = [
        f"{region.value} ({counts[region]})"
        for region in regions
        if 0 < counts[region] < FEW_IN_REGION.value
    ]
    if not wanted:
        advice = "dst does not show it either, so this pair can do without."
    expression = bool(regions) and regions[0] in EXPRESSIONS
    code = "missing-expressions" if expression else "missing-poses"
    if none:
        weight = Weight.GAP if wanted else Weight.NOTE
        found.append(Finding(code, weight, f"There are no faces {listed(none)}.", advice))
    if few:
        text = f"There are only few faces {listed(few)}."
        found.append(Finding(f"few-{code[8:]}", Weight.NOTE, text, advice))
    return found


def _are(count: int, of: int) -> str:
    return f"{counted(count, of)} {'is' if count == 1 else 'are'}"


def _looked_at(looked_at: int, summary: FacesetSummary) -> str:
    return "" if looked_at >= summary.faces else " that were looked at"


def _after_unpacking(summary: FacesetSummary, advice: str) -> str:
    if not summary.packed:
        return advice
    return f"{advice} First `dflcolab unpack --side {summary.side}`."
