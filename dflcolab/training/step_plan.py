"""How a step runs on this machine: in how many parts, and compiled by what.

A plan is stored in the checkpoint and holds for the devices that it was made on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from dflcolab.backend import tf


@dataclass(frozen=True)
class Verdict:
    """What came of a trial of XLA.

    Attributes:
        jit: XLA compiles the step.
        note: What was measured, for the user; "" where nothing was.
    """

    jit: bool = False
    note: str = ""


@dataclass(frozen=True)
class StepPlan:
    """Faces at once, and the compiler.

    Attributes:
        device: What the plan was made for; see `device_name`.
        batch: Faces per side and step.
        micro_batch: Faces per side that a device works on at the same time; divides its batch.
        batch_note: What was measured to choose the batch; "" where nothing was.
        devices: How many share the batch evenly.
        compiler: Which of the trials decides about XLA; "" where none does, and it is left out.
        trials: All that were made with this model, on whatever machine, by `trial_key`.
    """

    device: str
    batch: int
    micro_batch: int
    batch_note: str = ""
    devices: int = 1
    compiler: str = ""
    trials: Mapping[str, Verdict] = field(default_factory=dict)

    @property
    def parts(self) -> int:
        """In how many parts a device works through its faces."""
        return self.batch // self.devices // self.micro_batch

    @property
    def jit(self) -> bool:
        """XLA compiles the step."""
        return self.trials[self.compiler].jit if self.compiler else False

    def without_jit(self, note: str) -> StepPlan:
        """The plan after XLA failed in training; `note` says how."""
        return replace(self, trials={**self.trials, self.compiler: Verdict(jit=False, note=note)})

    def to_plain(self) -> dict[str, Any]:
        """For the checkpoint."""
        return asdict(self)


def stored_plan(state: Mapping[str, Any] | None, devices: int) -> StepPlan | None:
    """The plan of a checkpoint, where it was made for as many devices, and such as this one."""
    stored = (state or {}).get("step_plan")
    if not isinstance(stored, dict) or stored.get("device") != device_name():
        return None
    names = {entry.name for entry in fields(StepPlan)}
    known = {name: value for name, value in stored.items() if name in names}
    plan = StepPlan(**{**known, "trials": stored_trials(state)})
    return plan if plan.devices == devices else None


def stored_trials(state: Mapping[str, Any] | None) -> dict[str, Verdict]:
    """The trials of XLA in a checkpoint, whatever machine they were made on."""
    stored = (state or {}).get("step_plan")
    trials = stored.get("trials", {}) if isinstance(stored, dict) else {}
    return {key: Verdict(**verdict) for key, verdict in trials.items()}


def trial_key(precision: str, batch: int) -> str:
    """What a trial of XLA holds for, besides the model whose checkpoint keeps it."""
    return f"{device_name()}, {precision}, batch {batch}, TensorFlow {tf.__version__}"


def device_name() -> str:
    """The first GPU's name, or `CPU`."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))


def parts_at_most(batch: int, size: int) -> int:
    """The largest micro-batch of at most `size` faces that divides the batch; at least 1."""
    return max(n for n in range(1, max(1, min(size, batch)) + 1) if batch % n == 0)
