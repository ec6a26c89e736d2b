# pyright: strict
"""Options that can be refused before anything is fetched or loaded."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dflcolab.engine.checkpoint import newest_state
from dflcolab.errors import CheckpointError, ConfigError
from dflcolab.models.kinds import KINDS
from dflcolab.xseg.config import MaskConfig

_MUST_FIT_ANOTHER = "resolution"
"""Option whose allowed values depend on another one, which a model on the remote may have its own way."""


def check_model_settings(settings: Mapping[str, str], model_dir: Path, arch: str | None) -> None:
    """Pass only what some model may take that is trained next.

    Without a model here its kind may be known to the remote alone; then each kind counts.

    Args:
        settings: `--set` of the model, name to text.
        model_dir: Where its checkpoints are, or will be.
        arch: Kind that is asked for.

    Raises:
        ConfigError: A name is unknown, or a value is out of range.
    """
    state = state_here(model_dir)
    stored: Mapping[str, Any] = state["options"] if state else {}
    kind = state["architecture"] if state else arch
    if kind is not None and kind not in KINDS:
        return  # of a newer version; what reads the model says so
    asked = {k: v for k, v in settings.items() if state or k != _MUST_FIT_ANOTHER}
    refusals: list[ConfigError] = []
    for name in [kind] if kind else KINDS:
        try:
            KINDS[name].options({**stored, **_of_network(name, asked)})
        except ConfigError as error:
            refusals.append(error)
        else:
            return
    raise refusals[0]


def state_here(model_dir: Path) -> Mapping[str, Any] | None:
    """`state.json` of the newest checkpoint on this machine; None where none can be read."""
    try:
        return newest_state(model_dir)
    except CheckpointError:
        return None  # the remote may have one that is whole


def _of_network(kind: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Without what `--set` says to the command of masks itself."""
    if kind != "xseg":
        return dict(settings)
    command = {field.name for field in dataclasses.fields(MaskConfig)}
    return {name: value for name, value in settings.items() if name not in command}
