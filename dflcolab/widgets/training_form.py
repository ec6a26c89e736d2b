"""Everything that can be chosen for a training, as a form: how the run goes, and how the model trains."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets

from dflcolab.config import describe, to_plain
from dflcolab.models.kinds import swap_options_of
from dflcolab.models.presets import PRESETS
from dflcolab.training.config import TrainConfig
from dflcolab.widgets.forms import ConfigForm

_RUN_FIRST = ("target_iter", "deadline", "stop_on", "batch", "schedule", "save_minutes")
_RUN_LEFT_OUT = ("model", "arch", "preset", "set", "remote", "push_minutes", "hosts", "worker")
_MODEL_FIRST = (
    "random_warp", "lr_dropout", "learning_rate", "eyes_mouth_prio", "masked_training",
    "random_src_flip", "random_dst_flip", "random_hsv_power", "ct_mode", "gan_power", "clipgrad",
)  # fmt: skip
_MODEL_LEFT_OUT = (
    "target_iter", "batch_size", "autobackup_hour", "write_preview_history", "models_opt_on_gpu",
    "pretrain",
)  # fmt: skip


class TrainingForm:
    """A form for one training.

    Args:
        config: What the cell's own fields say.
        state: `state.json` of the model's latest checkpoint; None for a new model.

    Attributes:
        box: The widget to display.
    """

    def __init__(self, config: TrainConfig, state: Mapping[str, Any] | None) -> None:
        self._config = config
        arch = str(state["architecture"]) if state else config.arch or "saehd"
        stored = (
            state["options"]
            if state
            else PRESETS.get(arch, {}).get(config.preset or "standard", {})
        )
        options = swap_options_of(arch, stored)
        self._present: dict[str, Any] = to_plain(options)
        fixed = options.structure_names if state else ()
        names = [info.name for info in describe(type(options))]
        present = {info.name: getattr(config, info.name) for info in describe(TrainConfig)}
        self._run = ConfigForm(
            TrainConfig, first=_RUN_FIRST, values=present, left_out=_RUN_LEFT_OUT
        )
        self._model = ConfigForm(
            type(options),
            first=[name for name in _MODEL_FIRST if name in names],
            values=self._present,
            left_out=(*_MODEL_LEFT_OUT, *fixed),
        )
        self.box = widgets.VBox(
            [
                widgets.HTML("<h4>This run</h4>"),
                self._run.box,
                widgets.HTML("<h4>The model</h4>"),
                self._model.box,
            ]
        )

    def config(self) -> TrainConfig:
        """The options as they stand in the form; what differs from the model's own is set.

        Raises:
            ConfigError: One is out of range; the form shows the sentence too.
        """
        run = self._run.config()
        wanted: dict[str, Any] = to_plain(self._model.config())
        changed = [
            f"{name}={_text(value)}"
            for name, value in wanted.items()
            if value != self._present[name]
        ]
        return dataclasses.replace(run, set=(*self._config.set, *changed))


def _text(value: object) -> str:
    """As `--set` takes it."""
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
