"""`train`, `pretrain` and the predictor with every kind of model and with discriminators."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dflcolab.config import from_mapping
from dflcolab.engine.checkpoint import latest_checkpoint
from dflcolab.engine.loss_history import read_losses
from dflcolab.engine.predictor import load_predictor
from dflcolab.errors import ConfigError, FacesetError, ModelError
from dflcolab.pipeline.any_training import any_training
from dflcolab.pipeline.model import model
from dflcolab.pipeline.pretrain import pretrain
from dflcolab.pipeline.train import train
from dflcolab.training.config import ModelConfig, PretrainConfig, TrainConfig
from dflcolab.workspace.workspace import Workspace
from tests.runtime.saved_models import save_model

pytestmark = pytest.mark.usefixtures("steps_again")

KINDS = {
    "saehd": [
        "gan_power=0.1",
        "gan_dims=4",
        "true_face_power=0.01",
        "lr_dropout=y",
        "clipgrad=yes",
    ],
    "amp": ["gan_power=0.1", "gan_dims=4", "lr_dropout=y"],
    "quick96": [],
}


@pytest.fixture
def workspace(face_workspace: Path) -> Workspace:
    return Workspace.open(face_workspace)


def _train(workspace: Workspace, name: str, *settings: str, verb=train, **options):
    kind = PretrainConfig if verb is pretrain else TrainConfig
    values = {"model": name, "preset": "tiny", "batch": 2, "set": settings, **options}
    return verb(workspace, from_mapping(kind, values))


def _checkpoint(workspace: Workspace, name: str):
    found = latest_checkpoint(workspace.model_dir(name))
    assert found is not None
    return found


@pytest.mark.parametrize(
    "arch", ["amp", *(pytest.param(arch, marks=pytest.mark.long) for arch in ("saehd", "quick96"))]
)
def test_stopped_and_resumed_equals_uninterrupted(workspace: Workspace, arch: str):
    # Quick96 takes batch 3 again at iteration 4: the stop lies between them.
    stops = (3, 5) if arch == "quick96" else (4, 9)
    _train(workspace, "whole", *KINDS[arch], arch=arch, target_iter=stops[1])
    for target in stops:
        _train(workspace, "parts", *KINDS[arch], arch=arch, target_iter=target)

    whole, parts = (_checkpoint(workspace, name) for name in ("whole", "parts"))
    for read in ("weights", "optimizer"):
        ours, theirs = getattr(parts, read)(), getattr(whole, read)()
        assert set(ours) == set(theirs)
        # The requirement is 1e-6; on a CPU in float32 they are equal to the bit.
        for name, value in theirs.items():
            np.testing.assert_allclose(ours[name], value, atol=1e-6, rtol=0, err_msg=name)
    losses = [read_losses(workspace.model_dir(name) / "losses.bin") for name in ("whole", "parts")]
    np.testing.assert_allclose(*losses, atol=1e-6, rtol=0)
    assert parts.state()["architecture"] == arch
    assert model(workspace, ModelConfig(action="info", model="parts")).architecture == arch
    names = set(parts.optimizer())
    if arch == "saehd":
        assert {"iters:0", "GAN_opt/iters:0", "D_code_opt/iters:0"} <= names
    if arch == "amp":
        assert not [name for name in names if "inter_" in name]


@pytest.mark.parametrize("arch", ["quick96", "amp"])
def test_a_model_of_any_kind_paints_for_merging(workspace: Workspace, arch: str):
    _train(workspace, "m", arch=arch, target_iter=2)
    predictor = load_predictor(workspace.model_dir("m"))
    size = predictor.resolution
    faces = np.random.default_rng(0).random((2, size, size, 3), np.float32)
    swap, mask, dst_mask = predictor.predict(faces)
    assert swap.shape == (2, size, size, 3)
    assert mask.shape == dst_mask.shape == (2, size, size, 1)
    if arch == "amp":
        morphed, masks, _ = predictor.predict(faces, [0.5, 0.0])
        assert not np.array_equal(morphed[0], swap[0])
        np.testing.assert_array_equal(masks[1], dst_mask[1])


def test_discriminators_join_a_trained_model_and_start_anew_for_other_patches(
    workspace: Workspace,
):
    _train(workspace, "m", target_iter=2)
    report = _train(workspace, "m", "gan_power=0.1", "true_face_power=0.01", target_iter=4)
    assert len([text for text in report.problems if "starts anew" in text]) == 2
    optimizer = _checkpoint(workspace, "m").optimizer()
    assert int(optimizer["GAN_opt/iters:0"]) == int(optimizer["D_code_opt/iters:0"]) == 2

    # Same depth and widths, so the weights would fit; only their strides differ.
    report = _train(workspace, "m", "gan_patch_size=13", target_iter=5)
    assert [text for text in report.problems if "GAN starts anew" in text]
    optimizer = _checkpoint(workspace, "m").optimizer()
    assert int(optimizer["GAN_opt/iters:0"]) == 1
    assert int(optimizer["D_code_opt/iters:0"]) == 3


@pytest.mark.parametrize("arch", ["saehd", pytest.param("amp", marks=pytest.mark.long)])
def test_after_pretraining_the_inters_start_anew_and_the_rest_stays(
    workspace: Workspace, arch: str
):
    option = {"saehd": "archi=liae-ud", "amp": "train_inters=yes"}[arch]
    anew = {"saehd": {"inter_AB", "inter_B"}, "amp": {"inter_src", "inter_dst"}}[arch]
    settings = [option, "learning_rate=0.0000001"]  # a step changes every weight, but hardly
    _train(workspace, "m", *settings, arch=arch, verb=pretrain, target_iter=3)
    before = _checkpoint(workspace, "m")
    _train(workspace, "m", *settings, target_iter=1)
    after = _checkpoint(workspace, "m")

    old, new = before.weights(), after.weights()
    moved = {
        name.split("/")[0]
        for name in old
        if not np.allclose(old[name], new[name], rtol=0, atol=1e-4)
    }
    assert moved == anew
    assert after.iteration == 1
    assert int(after.optimizer()["iters:0"]) == 4  # the optimizer goes on, as in DeepFaceLab


def test_another_kind_or_what_a_kind_cannot_do_is_refused(workspace: Workspace):
    _train(workspace, "m", arch="quick96", target_iter=1)
    with pytest.raises(ModelError, match="quick96 model"):
        _train(workspace, "m", arch="amp", target_iter=2)
    with pytest.raises(ModelError, match="pretraining"):
        _train(workspace, "new", arch="quick96", verb=pretrain, target_iter=1)
    with pytest.raises(ConfigError, match="resolution"):
        _train(workspace, "new", "resolution=128", arch="quick96", target_iter=1)
    with pytest.raises(ConfigError, match="gan_patch_size"):
        _train(workspace, "new", "gan_power=0.1", "gan_patch_size=300", target_iter=1)
    assert not workspace.model_dir("new").exists()
    listed = model(workspace, ModelConfig()).models
    assert [(entry["archi"], entry["resolution"]) for entry in listed] == [("quick96", 96)]


def test_a_damaged_newest_state_does_not_keep_training_from_the_one_before(tmp_path: Path):
    (tmp_path / "workspace.toml").write_text("format_version = 1\n")
    folder = tmp_path / "model" / "first"
    save_model(folder, 5, "tiny")
    save_model(folder, 6, "tiny")
    (folder / "ckpt-000000006" / "state.json").write_text("{")

    with pytest.raises(FacesetError, match="there are no faces"):
        any_training(tmp_path, TrainConfig(model="first"))
