"""Trains a tiny model on one device, then on two: `two_devices_child.py FOLDER SETTINGS_JSON`.

In a process of its own, since the processor can only be divided before TensorFlow is in use. Writes
the losses and the weights of both to `FOLDER/one.npz` and `FOLDER/two.npz`; the second run goes on
from a checkpoint that the first one wrote after an iteration.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from dflcolab.engine.checkpoint import Checkpoint, latest_checkpoint
from dflcolab.engine.precision import prepare_device
from dflcolab.models.kinds import swap_options_of
from dflcolab.training.augment import PADDING
from dflcolab.training.color_match import FaceColors, moments_of, points_of
from dflcolab.training.dataset import TrainingFaces
from dflcolab.training.devices import Devices, open_devices
from dflcolab.training.session import Session, SideFaces
from dflcolab.training.step_plan import StepPlan

N_FACES = 12
SIDE = 64 + 2 * PADDING
ITERATIONS = 4


def _faces(seed: int) -> SideFaces:
    """Smooth random pictures; all of them differ."""
    coarse = np.random.default_rng(seed).uniform(0, 255, (N_FACES, 5, 5, 5)).astype(np.float32)
    faces = np.clip(tf.image.resize(coarse, [SIDE, SIDE]).numpy(), 0, 255).astype(np.uint8)
    faces[..., 3:] = 255 * (faces[..., 3:] > 80)
    crops = faces[:, PADDING:-PADDING, PADDING:-PADDING, :3]
    moments = np.stack([moments_of(crop) for crop in crops])
    colors = FaceColors(moments, moments, np.stack([points_of(crop) for crop in crops]))
    names = tuple(f"{i:05d}.jpg" for i in range(N_FACES))
    return SideFaces(TrainingFaces(faces, names, (0.0,) * N_FACES, colors), None)


def _train(folder: Path, name: str, settings: dict, devices: Devices, micro: int) -> Checkpoint:
    options = swap_options_of(settings["arch"], settings["options"])
    plan = StepPlan("CPU", options.batch_size, micro, devices=devices.count)
    session = Session(
        folder, options, _faces(1), _faces(2), seed=3, precision=settings["precision"],
        devices=devices, plan=plan,
    )  # fmt: skip
    before = latest_checkpoint(folder)
    if before is None:
        session.start_new()
        session.train_one()
        before = session.save(keep=1, preview=b"")
    else:
        session.restore(before)
    steps = (session.train_one() for _ in range(ITERATIONS))
    losses = np.array([step.numpy() for step in steps if step is not None])
    after = session.save(keep=2, preview=b"")
    results = {"losses": losses, **after.weights(), **after.optimizer()}
    np.savez(folder / f"{name}.npz", **results)  # pyright: ignore[reportArgumentType]
    return after


def main() -> None:
    """Train both ways."""
    folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, 2 * [tf.config.LogicalDeviceConfiguration()])
    prepare_device()
    after = _train(folder, "one", settings, Devices(), settings["options"]["batch_size"])
    shutil.rmtree(after.folder)
    _train(folder, "two", settings, open_devices(2, across="sum"), settings["micro_batch"])


main()
