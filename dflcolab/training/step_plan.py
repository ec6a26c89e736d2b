"""How a step runs on this machine: in how many parts, and compiled by what.

A plan is stored in the checkpoint and holds for the devices that it was made on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dflcolab.backend import tf


@dataclass(frozen=True)
class StepPlan:
    """Faces at once, and the compiler.

    Attributes:
        device: What the plan was made for; see `device_name`.
        batch: Faces per side and step.
        micro_batch: Faces per side that a device works on at the same time; divides its batch.
        jit: XLA compiles the step.
        batch_note: What was measured to choose the batch; "" where nothing was.
        jit_note: What was measured to choose the compiler; "" where nothing was.
        devices: How many share the batch evenly.
    """

    device: str
    batch: int
    micro_batch: int
    jit: bool = False
    batch_note: str = ""
    jit_note: str = ""
    devices: int = 1

    @property
    def parts(self) -> int:
        """In how many parts a device works through its faces."""
        return self.batch // self.devices // self.micro_batch

    def to_plain(self) -> dict[str, Any]:
        """For the checkpoint."""
        return asdict(self)


def stored_plan(state: Mapping[str, Any] | None, devices: int) -> StepPlan | None:
    """The plan of a checkpoint, where it was made for as many devices, and such as this one."""
    stored = (state or {}).get("step_plan")
    if not isinstance(stored, dict) or stored.get("device") != device_name():
        return None
    plan = StepPlan(**stored)
    return plan if plan.devices == devices else None


def device_name() -> str:
    """The first GPU's name, or `CPU`."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))


def parts_at_most(batch: int, size: int) -> int:
    """The largest micro-batch of at most `size` faces that divides the batch; at least 1."""
    return max(n for n in range(1, max(1, min(size, batch)) + 1) if batch % n == 0)
