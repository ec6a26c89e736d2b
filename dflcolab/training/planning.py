"""How a run steps on this machine: batch, parts and compiler, as the checkpoint says or measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dflcolab.backend import tf
from dflcolab.config import updated
from dflcolab.engine.precision import Precision
from dflcolab.errors import ConfigError, ModelError
from dflcolab.models.kinds import SwapModelOptions
from dflcolab.training.batch_size import choose_batch, choose_jit, largest_batch
from dflcolab.training.config import TrainConfig
from dflcolab.training.devices import Devices
from dflcolab.training.step_plan import StepPlan, device_name, stored_plan
from dflcolab.training.trial import Cost, measure_step, memory_limit


def plan_step(
    config: TrainConfig,
    options: SwapModelOptions,
    state: Mapping[str, Any] | None,
    precision: Precision,
    devices: Devices,
    note: Callable[[str], None],
) -> tuple[SwapModelOptions, StepPlan]:
    """Batch, parts and compiler for these devices.

    One device is measured, with the faces that each of them will take.

    Args:
        config: What the user wants.
        options: The model; its batch is replaced where it was measured, or cannot be shared evenly.
        state: Of the checkpoint that training goes on from.
        precision: Type the networks compute in.
        devices: What the run trains on.
        note: Gets a sentence about each choice.

    Raises:
        ConfigError: The batch does not fall into that many parts.
        ModelError: Not even one face at a time fits into memory.
    """
    on_gpu = device_name() != "CPU"
    before = stored_plan(state, devices.count)

    def trial(size: int, jit: bool) -> Cost:
        return measure_step(options, precision, size, jit=jit)

    batch_note = before.batch_note if before else ""
    if config.batch == "auto" and not batch_note:
        largest = largest_batch(options.resolution, options.batch_size, on_gpu=on_gpu)
        try:
            best, batch_note = choose_batch(trial, largest, memory_limit())
        except tf.errors.ResourceExhaustedError as error:
            raise ModelError(
                "This model does not fit into memory, even with one face at a time; take a lower "
                "resolution, smaller dims or a smaller preset."
            ) from error
        if devices.count > 1:
            batch_note += f" Each of {devices.count} devices takes that many."
        note(batch_note)
        options = updated(options, {"batch_size": str(best * devices.count)})
    options = _shared_evenly(options, devices, note)
    batch, each = options.batch_size, options.batch_size // devices.count
    kept = before if before and before.batch == batch else None
    micro = kept.micro_batch if kept else each
    if isinstance(config.accumulate, int):
        if each % config.accumulate:
            whole = f"the batch of {batch}" if devices.count == 1 else f"a device's {each} faces"
            raise ConfigError(
                f"accumulate = {config.accumulate} does not divide {whole}; give a number that "
                "does."
            )
        micro = each // config.accumulate
    jit, jit_note = False, ""
    if config.xla != "off" and devices.count > 1:
        note("XLA is left out: it compiles the steps of a single device only.")
    elif config.xla != "off" and kept and kept.jit_note:
        jit, jit_note = kept.jit, kept.jit_note
    elif config.xla != "off":
        jit, jit_note = choose_jit(trial, micro, config.xla, on_gpu=on_gpu)
        if jit_note:
            note(jit_note)
    plan = StepPlan(device_name(), batch, micro, jit, batch_note, jit_note, devices.count)
    return options, plan


def _shared_evenly(
    options: SwapModelOptions, devices: Devices, note: Callable[[str], None]
) -> SwapModelOptions:
    """The options with a batch that all devices share evenly."""
    size = devices.batch_size(options.batch_size)
    if size == options.batch_size:
        return options
    note(f"A batch has {size} faces instead of {options.batch_size}: {devices.count} share it.")
    return updated(options, {"batch_size": str(size)})
