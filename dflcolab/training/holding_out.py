# pyright: strict
"""What is held out of a run's facesets: as the model's last checkpoint says, or chosen now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dflcolab.faceset.faceset import Faceset
from dflcolab.faceset.held_out import (
    FEWEST_FACES,
    FEWEST_HELD_OUT,
    HeldOutChoice,
    choose_held_out,
    poses_of,
)
from dflcolab.faceset.stretches import Split, split_faces

_STRETCHES, _CHOICES = "held_out_stretches", "held_out_choices"


def saved_choices(choices: Mapping[str, HeldOutChoice]) -> dict[str, Callable[[], object]]:
    """By name, what goes into a checkpoint's `state.json` to say what is held out.

    Args:
        choices: By side.
    """
    return {
        _STRETCHES: lambda: {
            side: [stretch.to_plain() for stretch in choice.stretches]
            for side, choice in choices.items()
        },
        _CHOICES: lambda: {side: choice.to_plain() for side, choice in choices.items()},
    }


def choice_of(
    state: Mapping[str, Any] | None, side: str, *, leaves_pretraining: bool = False
) -> HeldOutChoice | None:
    """What a checkpoint says is held out of a side; None if it says nothing of it.

    Args:
        state: Its `state.json`; None for a new model.
        side: `src` or `dst`.
        leaves_pretraining: The checkpoint is one of pretraining, and the model is about to be trained.
            What was held out of the side's own faceset while pretraining used it stays held out.
    """
    if state is None or side not in state.get(_CHOICES, {}):
        return None
    choice = HeldOutChoice.from_plain(state[_CHOICES][side], state[_STRETCHES][side])
    if not leaves_pretraining:
        return choice
    # The label that `load_many` gives a side's own faces.
    label = f"data_{side}-aligned/"
    own = HeldOutChoice(
        choice.share,
        tuple(
            replace(stretch, video=_without(label, stretch.video))
            for stretch in choice.stretches
            if stretch.video.startswith(label)
        ),
        tuple(_without(label, video) for video in choice.videos if video.startswith(label)),
    )
    return own if own.videos else None


def _without(label: str, video: str) -> str:
    name = video.removeprefix(label)
    return name if "/" in name else f"/{name}"


def hold_out(
    faceset: Faceset,
    side: str,
    share: float,
    known: HeldOutChoice | None,
    *,
    trained: bool,
    note: Callable[[str], None],
) -> tuple[HeldOutChoice, Split]:
    """Part a faceset into faces to train on and held-out ones.

    Args:
        faceset: The faces of the side.
        side: `src` or `dst`.
        share: Part of the faces to keep out, 0 to 0.5; counts where nothing is known.
        known: What is held out already.
        trained: The model was trained on faces of this faceset before.
        note: Gets a sentence where none can be held out, where another share was known, and where
            faces are held out that the model may have been trained on.

    Raises:
        ConfigError: `share` is out of range.
    """
    keys = faceset.frame_keys
    choice = choose_held_out(keys, lambda: poses_of(faceset), share, known=known)
    split = split_faces(keys, choice.stretches)
    if known and known.stretches and known.share != share:
        note(
            f"The held-out {side} faces stay as they were chosen (--holdout-share {known.share:g}); "
            f"a share of {share:g} counts for videos that come later, and for new models."
        )
    new = choice.stretches[len(known.stretches) if known else 0 :]
    if trained and any(known is None or stretch.video in known.videos for stretch in new):
        note(
            f"Held-out {side} faces were chosen among those that the model has been trained on; for "
            "now it does better on them than on faces that it never saw."
        )
    if share and len(split.held_out) < FEWEST_HELD_OUT:
        few = f"{len(keys)} are fewer than {FEWEST_FACES}"
        if len(keys) >= FEWEST_FACES:
            few = f"all {len(keys)} are of a few moments"
        note(
            f"No {side} faces can be held out to judge the training by ({few}); extract or append "
            "faces of more frames, or train without a judgement."
        )
    return choice, split
