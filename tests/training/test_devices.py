"""Two devices, and two processes, train as one does; a killed worker takes nothing with it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from dflcolab.engine.checkpoint import latest_checkpoint, list_checkpoints
from dflcolab.engine.loss_history import read_losses
from dflcolab.errors import ConfigError, ModelError
from dflcolab.pipeline.train import train
from dflcolab.training.config import TrainConfig
from dflcolab.training.devices import Devices, open_devices
from dflcolab.workspace.workspace import Workspace

CHILD = Path(__file__).with_name("two_devices_child.py")
SAEHD = {
    "arch": "saehd", "precision": "float32", "micro_batch": 2,
    "options": {
        "resolution": 64, "archi": "df-ud", "ae_dims": 16, "e_dims": 8, "d_dims": 8,
        "d_mask_dims": 4, "batch_size": 4, "learning_rate": 1e-5, "random_hsv_power": 0.1,
        "random_src_flip": True, "lr_dropout": "y", "ct_mode": "idt", "true_face_power": 0.01,
    },
}  # fmt: skip
AMP = {
    "arch": "amp", "precision": "float32", "micro_batch": 2,
    "options": {
        "resolution": 64, "ae_dims": 16, "inter_dims": 16, "e_dims": 8, "d_dims": 8,
        "d_mask_dims": 4, "batch_size": 4, "learning_rate": 1e-5, "ct_mode": "sot",
        "clipgrad": True,
    },
}  # fmt: skip
SETTINGS = {"saehd": SAEHD, "amp": AMP}
SAVE_EVERY = 4
RATE = "learning_rate=1e-5"
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", ["saehd", pytest.param("amp", marks=pytest.mark.long)])
def test_two_devices_go_on_as_one_would(tmp_path: Path, kind: str):
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, str(CHILD), str(tmp_path), json.dumps(SETTINGS[kind])],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]

    one, two = (np.load(tmp_path / f"{name}.npz") for name in ("one", "two"))
    # The sums of a batch have another order, so they differ by some 1e-7 of their size. Another view
    # of a single face would change a loss by several percent.
    np.testing.assert_allclose(two["losses"], one["losses"], rtol=3e-6)
    # Where a gradient is itself made of rounding, AdaBelief's step of 1e-5 may go the other way; the
    # means of all gradients together tell whether one was lost or doubled (it would be 0.5).
    for slot in ("ms_", "vs_"):
        pairs = [(one[name], two[name]) for name in one.files if slot in name]
        away = sum(np.square(a - b).sum() for a, b in pairs)
        assert away <= 0.01**2 * sum(np.square(a).sum() for a, _ in pairs)
    for name in one.files:
        if not name.startswith("losses") and "ms_" not in name and "vs_" not in name:
            np.testing.assert_allclose(two[name], one[name], atol=1e-4, rtol=0, err_msg=name)


@dataclass(frozen=True)
class Killed:
    """What a run of two workers left after one was killed."""

    workspace: Workspace
    returncode: int
    said: str

    @property
    def model_dir(self) -> Path:
        return self.workspace.model_dir("m")


def _kill(root: Path, victim: int) -> Killed:
    """Two workers on this machine; one of them is killed after the first checkpoint."""
    common = [sys.executable, "-m", "dflcolab", "train", "-w", str(root), "--model", "m",
              "--preset", "tiny", "--across-devices", "sum", "--keep", "100", "--quiet",
              "--set", f"save_every={SAVE_EVERY}", "read_every=2", RATE]  # fmt: skip
    hosts = _free_hosts()
    workers = [
        subprocess.Popen([*common, "--hosts", *hosts, "--worker", str(index)],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for index in range(2)
    ]  # fmt: skip
    workspace = Workspace.open(root)
    try:
        end = time.monotonic() + 600
        while latest_checkpoint(workspace.model_dir("m")) is None and time.monotonic() < end:
            assert all(worker.poll() is None for worker in workers), workers[0].communicate()
            time.sleep(0.1)
        workers[victim].send_signal(signal.SIGKILL)
        # Seconds as a rule; TensorFlow's own heartbeat takes up to a minute where no socket closes.
        survivor = workers[1 - victim]
        _, said = survivor.communicate(timeout=120)
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    return Killed(workspace, survivor.returncode, said)


def _free_hosts() -> list[str]:
    """Two free addresses of this machine."""
    sockets = [socket.socket() for _ in range(2)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    hosts = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return hosts


@pytest.fixture(scope="module")
def second_killed(tmp_path_factory: pytest.TempPathFactory, _faces_once: Path) -> Killed:
    root = tmp_path_factory.mktemp("workers") / "workspace"
    shutil.copytree(_faces_once, root)
    return _kill(root, 1)


def _ended_with_a_sentence(killed: Killed) -> None:
    assert killed.returncode == 1, killed.said
    assert "Traceback" not in killed.said
    sentences = [line for line in killed.said.splitlines() if line.startswith("dflcolab train:")]
    assert len(sentences) == 1, killed.said
    assert "Another worker has gone" in sentences[0]
    list_checkpoints(killed.model_dir)[-1].verify()


def test_a_killed_worker_ends_the_first_one_with_a_sentence(second_killed: Killed):
    _ended_with_a_sentence(second_killed)


@pytest.mark.long
def test_the_first_one_killed_ends_the_other_with_a_sentence(face_workspace: Path):
    _ended_with_a_sentence(_kill(face_workspace, 0))


def test_two_workers_train_as_one_process_and_leave_a_usable_checkpoint(second_killed: Killed):
    killed, checkpoints = second_killed, list_checkpoints(second_killed.model_dir)
    first, last = checkpoints[0], checkpoints[-1]
    assert first.iteration == SAVE_EVERY
    config = TrainConfig(model="one", preset="tiny", target_iter=SAVE_EVERY, set=(RATE,))
    train(killed.workspace, config)
    alone = read_losses(killed.workspace.model_dir("one") / "losses.bin")
    together = read_losses(killed.model_dir / "losses.bin")
    # Steps of 1e-5 in directions that rounding may turn; half of the gradient changes more.
    np.testing.assert_allclose(together[:SAVE_EVERY], alone, rtol=3e-5)

    target = last.iteration + 2
    report = train(killed.workspace, TrainConfig(model="m", target_iter=target))
    assert (report.resumed_from, report.iteration) == (last.iteration, target)


def test_more_devices_than_there_are_are_refused():
    with pytest.raises(ConfigError, match="devices = 5, but this machine has one CPU"):
        open_devices(5)


def test_addresses_and_workers_are_checked():
    with pytest.raises(ConfigError, match="is no address"):
        TrainConfig(model="m", hosts=("somewhere",))
    with pytest.raises(ConfigError, match="worker = 2, but there are 2 hosts"):
        TrainConfig(model="m", hosts=("a:1", "b:1"), worker=2)
    with pytest.raises(ConfigError, match="batch = auto measures one machine"):
        TrainConfig(model="m", hosts=("a:1", "b:1"), batch="auto")


def test_one_process_agrees_with_itself_and_leaves_errors_alone():
    devices = Devices()
    assert devices.agree("deadline") == "deadline"
    devices.refuse_differences({"options": 1})
    with pytest.raises(tf.errors.UnavailableError), devices.watching_workers(lambda: "none"):
        raise tf.errors.UnavailableError(None, None, "no worker is meant")
    with pytest.raises(ModelError), devices.watching_workers(lambda: "none"):
        raise ModelError("as it is")
