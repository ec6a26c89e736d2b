"""`train`, `pretrain` and `model` on real faces: resume, stop, refuse, survive."""

from __future__ import annotations

import functools
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.config import from_mapping
from dflcolab.engine.loss_history import read_losses
from dflcolab.engine.predictor import load_predictor
from dflcolab.errors import ConfigError, Interrupted, ModelError
from dflcolab.pipeline.model import model
from dflcolab.pipeline.pretrain import pretrain
from dflcolab.pipeline.train import train
from dflcolab.progress import Progress
from dflcolab.training import run
from dflcolab.training.config import ModelConfig, PretrainConfig, TrainConfig
from dflcolab.training.preview import STRIP
from dflcolab.training.rollback import RollBack
from dflcolab.training.session import Session
from dflcolab.workspace.workspace import Workspace

pytestmark = pytest.mark.usefixtures("steps_again")


def _train(workspace: Workspace, name: str = "m", progress: Progress | None = None, **options):
    config = from_mapping(TrainConfig, {"model": name, "preset": "tiny", **options})
    return train(workspace, config, progress=progress)


@pytest.fixture
def workspace(face_workspace: Path) -> Workspace:
    return Workspace.open(face_workspace)


def _losses(workspace: Workspace, name: str = "m") -> np.ndarray:
    return read_losses(workspace.model_dir(name) / "losses.bin")


def test_a_new_model_trains_saves_and_is_described(workspace: Workspace):
    report = _train(workspace, target_iter=12, preview_every=6)

    assert report.iteration == 12
    assert report.stopped_because == "target_iter"
    assert report.losses is not None
    assert report.iterations_per_second > 0
    assert report.held_out_faces["src"] > 0
    assert report.held_out_losses is not None
    assert len(_losses(workspace)) == 12
    info = model(workspace, ModelConfig(action="info"))
    assert info.iteration == 12
    assert info.verified
    assert info.architecture == "saehd"
    assert info.options["face_type"] == "whole_face"  # the workspace's own
    listed = model(workspace, ModelConfig())
    assert [entry["name"] for entry in listed.models] == ["m"]
    preview = cv2.imread(str(workspace.history_dir / "m" / "preview-000000006.jpg"))
    # Rows of S SS D DD SD, two of training and two of held-out faces, and two of dst frames, under
    # a line of text each.
    assert preview.shape == (6 * 64 + 4 * STRIP, 5 * 64, 3)
    assert report.checkpoint is not None
    assert cv2.imread(str(report.checkpoint / "preview.jpg")).shape == preview.shape


def test_losses_fall_on_real_faces(workspace: Workspace):
    _train(workspace, target_iter=120, set=["learning_rate=5e-4"])
    losses = _losses(workspace)
    assert (losses[-10:].mean(axis=0) < 0.65 * losses[:10].mean(axis=0)).all()


def test_a_target_that_is_reached_costs_nothing(workspace: Workspace):
    _train(workspace, target_iter=3)
    before = {path: path.stat().st_mtime_ns for path in workspace.models_dir.rglob("*")}
    report = _train(workspace, target_iter=3)
    assert report.iteration == 3
    assert report.iterations_done == 0
    assert {path: path.stat().st_mtime_ns for path in workspace.models_dir.rglob("*")} == before


def test_stopped_and_resumed_equals_uninterrupted(workspace: Workspace):
    _train(workspace, "whole", target_iter=24)
    for target in (7, 15, 24):
        _train(workspace, "parts", target_iter=target)
    # The requirement is 1e-6; on a CPU in float32 they are equal to the bit.
    np.testing.assert_allclose(
        _losses(workspace, "parts"), _losses(workspace, "whole"), atol=1e-6, rtol=0
    )


@pytest.mark.slow
def test_killed_at_any_moment_and_resumed_equals_uninterrupted(workspace: Workspace):
    target, wanted = 40, 3  # `make soak` kills hundreds
    _train(workspace, "whole", target_iter=target)
    words = [
        sys.executable, "-m", "dflcolab", "train", "-w", workspace.root, "--model", "killed",
        "--preset", "tiny", "--target-iter", str(target), "--set", "save_every=4", "--json",
    ]  # fmt: skip
    generator = random.Random(5)
    kills = 0
    seen: list[int] = []
    while True:
        process = subprocess.Popen(
            list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        folder = workspace.model_dir("killed")
        if kills < wanted:
            before = len(list(folder.glob("ckpt-*")))
            deadline = time.monotonic() + 60
            newest = max(seen, default=0)
            # Wait for a save beyond the last one, then kill at a random moment after it.
            while process.poll() is None and time.monotonic() < deadline:
                numbers = [int(path.name[5:]) for path in folder.glob("ckpt-*")]
                if max(numbers, default=0) > newest:
                    break
                time.sleep(0.005)
            time.sleep(generator.uniform(0, 0.5))
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            numbers = [int(path.name[5:]) for path in folder.glob("ckpt-*")]
            assert max(numbers, default=0) >= newest, (before, numbers)
            seen.append(max(numbers, default=0))
            if process.returncode == 0:
                break
            continue
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        report = json.loads(output)
        assert report["iteration"] == target
        assert report["resumed_from"] == seen[-1] or seen[-1] == target
        break
    assert kills == wanted
    np.testing.assert_allclose(
        _losses(workspace, "killed"), _losses(workspace, "whole"), atol=1e-6, rtol=0
    )
    assert not list(workspace.model_dir("killed").glob(".ckpt-*"))


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)]
)
def test_a_signal_saves_and_ends_with_130(workspace: Workspace, number: signal.Signals):
    words = [sys.executable, "-m", "dflcolab", "train", "-w", workspace.root, "--model", "m",
             "--preset", "tiny", "--quiet"]  # fmt: skip
    process = subprocess.Popen(list(map(str, words)), stderr=subprocess.PIPE, text=True)
    losses = workspace.model_dir("m") / "losses.bin"
    deadline = time.monotonic() + 120
    while not losses.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.5)
    process.send_signal(number)
    _, text = process.communicate(timeout=60)
    assert process.returncode == 130, text
    assert "saved" in text
    info = model(workspace, ModelConfig(action="info", model="m"))
    assert info.iteration == len(_losses(workspace)) > 0


@pytest.mark.bad_day("training-stopped")
def test_a_request_from_a_notebook_saves_and_says_so(workspace: Workspace):
    class Impatient(Progress):
        def task(self, title, *, total, unit, done=0):
            if title == "Training":
                self.request_stop()
            return super().task(title, total=total, unit=unit, done=done)

    with pytest.raises(Interrupted, match="iteration 1 and saved"):
        _train(workspace, progress=Impatient())
    assert model(workspace, ModelConfig(action="info")).iteration == 1


def test_a_file_named_stop_ends_the_run(workspace: Workspace):
    (workspace.root / "STOP").touch()
    report = _train(workspace)
    assert report.stopped_because == "stop_file"
    assert not (workspace.root / "STOP").exists()


def test_a_deadline_ends_the_run_in_time(workspace: Workspace):
    begin = time.monotonic()
    report = _train(workspace, deadline="12s")
    assert report.stopped_because == "deadline"
    # 12 s, and the first save, whose length nobody knows before: seconds, many on a busy machine.
    assert time.monotonic() - begin < 45


@pytest.mark.parametrize(
    "setting",
    ["archi=df", "resolution=96", "ae_dims=64", "face_type=f"],
)
def test_another_structure_is_refused_by_name(workspace: Workspace, setting: str):
    _train(workspace, target_iter=1)
    with pytest.raises(ModelError, match=setting.partition("=")[0]):
        _train(workspace, target_iter=2, set=[setting])


def test_changed_options_apply_to_the_next_run(workspace: Workspace):
    _train(workspace, target_iter=2)
    report = _train(workspace, target_iter=4, set=["random_warp=no", "eyes_mouth_prio=yes"])
    assert report.options["random_warp"] is False
    report = _train(workspace, target_iter=5)
    assert report.options["random_warp"] is False


def test_an_unknown_option_is_refused_before_anything_is_made(workspace: Workspace):
    with pytest.raises(ConfigError, match="batch_size"):
        _train(workspace, target_iter=2, set=["batchsize=3"])
    assert not workspace.model_dir("m").exists()


def test_not_a_number_is_never_saved_over_a_good_checkpoint(workspace: Workspace, monkeypatch):
    _train(workspace, target_iter=4)

    def poisoned(self):
        self.iteration += 1
        return np.array([np.nan, 0.1], np.float32) if self.iteration > 5 else original(self)

    original = Session.train_one
    monkeypatch.setattr(run, "RollBack", functools.partial(RollBack, most=1))
    monkeypatch.setattr(Session, "train_one", lambda self: _Losses(poisoned(self)))
    with pytest.raises(ModelError, match="the last good one is ckpt-000000004"):
        _train(workspace, target_iter=40)
    assert model(workspace, ModelConfig(action="info")).iteration == 4


class _Losses:
    """What the loop reads: something with `numpy()`."""

    def __init__(self, values) -> None:
        self._values = values

    def numpy(self):
        return self._values if isinstance(self._values, np.ndarray) else self._values.numpy()


def test_a_pretrained_model_meets_its_people_at_iteration_zero(workspace: Workspace):
    config = PretrainConfig(model="m", preset="tiny", target_iter=6)
    report = pretrain(workspace, config)
    assert report.pretraining
    assert report.faces["src"] == report.faces["dst"] > 80  # of both sides together
    assert len(read_losses(workspace.model_dir("m") / "losses-pretraining.bin")) == 6
    pretrained = _weights(workspace)

    told: list[str] = []

    class Listening(Progress):
        def message(self, text: str) -> None:
            told.append(text)

    report = _train(workspace, target_iter=3, progress=Listening())

    assert any("leaves pretraining" in text for text in told)
    assert report.iteration == 3
    assert report.iterations_done == 3
    assert not report.pretraining
    assert len(_losses(workspace)) == 3
    trained = _weights(workspace)
    # AdaBelief's first steps are up to 5 times the rate of 5e-5, three of them with what six steps
    # of pretraining left in the slots stay below 3e-3; a fresh inter differs by far more.
    assert _distance(trained, pretrained, "encoder/") < 3e-3
    assert _distance(trained, pretrained, "decoder_src/") < 3e-3
    assert _distance(trained, pretrained, "inter/") > 0.05
    with pytest.raises(ModelError, match="already trained"):
        pretrain(workspace, config)
    assert _train(workspace, target_iter=4).iteration == 4


def _weights(workspace: Workspace):
    from dflcolab.engine.checkpoint import latest_checkpoint

    checkpoint = latest_checkpoint(workspace.model_dir("m"))
    assert checkpoint is not None
    return checkpoint.weights()


def _distance(first, second, prefix: str) -> float:
    return max(
        float(np.abs(first[name] - second[name]).max()) for name in first if name.startswith(prefix)
    )


def test_the_predictor_paints_from_the_latest_checkpoint(workspace: Workspace):
    _train(workspace, target_iter=2)
    predictor = load_predictor(workspace.model_dir("m"))
    faces = np.random.default_rng(0).random((3, 64, 64, 3), dtype=np.float32)
    swap, swap_mask, dst_mask = predictor.predict(faces)
    assert predictor.resolution == 64
    assert predictor.iteration == 2
    assert (swap.shape, swap_mask.shape, dst_mask.shape) == (
        (3, 64, 64, 3), (3, 64, 64, 1), (3, 64, 64, 1),
    )  # fmt: skip
    assert 0 <= swap.min() <= swap.max() <= 1
    with pytest.raises(ModelError, match="nothing"):
        load_predictor(workspace.model_dir("nothing"))


def test_a_broken_newest_checkpoint_is_passed_over_with_a_sentence(workspace: Workspace):
    for target in (3, 6):
        _train(workspace, target_iter=target)
    newest = workspace.model_dir("m") / "ckpt-000000006" / "weights.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])
    report = _train(workspace, target_iter=7)
    assert any("ckpt-000000006" in problem for problem in report.problems)
    assert report.resumed_from == 3
    assert len(_losses(workspace)) == 7
