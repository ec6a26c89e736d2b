"""What a run was made with: the facts of a `start` or `resume` line in a model's history."""

from __future__ import annotations

import platform
import time
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from dflcolab import __version__
from dflcolab.backend import tf
from dflcolab.config import Config, to_plain
from dflcolab.training.returning_session import ReturningSession
from dflcolab.training.session import Session
from dflcolab.training.step_plan import StepPlan, device_name

_KEPT_OUT = ("remote", "hosts", "worker", "model", "set")
_ADDRESSES = ("faceset", "from_")


def run_facts(
    session: ReturningSession, config: Config, *, target: int | None, resumed_from: int | None
) -> dict[str, Any]:
    """Everything that somebody would need to make the run again, JSON-ready.

    Addresses of remotes and hosts are left out, and of a general faceset only its name is kept: a
    history is passed on with its model.

    Args:
        session: What is trained; its faces are loaded.
        config: The command's options, with the `--set` entries that are its own applied.
        target: Iteration at which the run is to end, if that is known.
        resumed_from: Iteration of the checkpoint that the run goes on from; None for a new model.

    Returns:
        `architecture`, `options` (the model's, under DeepFaceLab's names), `command` (the options of
        `train`, `pretrain` or `mask`), `versions`, `device`, `devices`, `machine`, `seed`, `precision`,
        `batch_size`, `micro_batch`, `xla`, `faces`, `target_iter`, `resumed_from`, `begun_at` (UTC).
    """
    batch = session.options.batch_size
    plan = session.plan if isinstance(session, Session) else StepPlan(device_name(), batch, batch)
    return {
        "architecture": session.options.arch,
        "options": to_plain(session.options),
        "command": command_options(config),
        "versions": {
            "dflcolab": __version__,
            "python": platform.python_version(),
            "tensorflow": tf.version.VERSION,
            "numpy": np.__version__,
        },
        "device": device_name(),
        "devices": session.devices.count,
        "machine": f"{platform.system()} {platform.machine()}",
        "seed": session.seed,
        "precision": session.precision,
        "batch_size": batch,
        "micro_batch": plan.micro_batch,
        "xla": plan.jit,
        "faces": session.face_counts(),
        "target_iter": target,
        "resumed_from": resumed_from,
        "begun_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def command_options(config: Config) -> dict[str, Any]:
    """The options of `train`, `pretrain` or `mask`, without addresses.

    `--set` entries are left out: they are among the model's options, or applied already.
    """
    plain: dict[str, Any] = to_plain(config)
    kept = {name: value for name, value in plain.items() if name not in _KEPT_OUT}
    for name in _ADDRESSES:
        value = kept.get(name)
        if isinstance(value, str):
            kept[name] = _name_of(value)
        elif value:
            kept[name] = [_name_of(text) for text in value]
    return kept


def _name_of(place: str) -> str:
    """Last part of a path or address, without query and fragment."""
    path = urlsplit(place).path if "://" in place else place
    return PurePosixPath(path).name
