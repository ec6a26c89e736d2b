"""`model`: DeepFaceLab's models are imported, trained on, exported; bad input is one sentence."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dflcolab.config import from_mapping
from dflcolab.engine.loss_history import read_losses
from dflcolab.engine.predictor import load_predictor
from dflcolab.pipeline.init import init
from dflcolab.pipeline.model import model
from dflcolab.pipeline.train import train
from dflcolab.training.config import ModelConfig, TrainConfig
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.workspace import Workspace
from tests.parity import plain_dfl
from tests.parity.model_vectors import difference
from tests.parity.vector_cases import vector_files

# Another program computing in float64 against float32: measured 3e-7.
CLOSE = 1e-5


def do(workspace: Workspace, action: str, **options: Any) -> Any:
    return model(workspace, from_mapping(ModelConfig, {"action": action, **options}))


def _train(workspace: Workspace, name: str, **options: Any) -> Any:
    return train(workspace, from_mapping(TrainConfig, {"model": name, **options}))


def _tiny(name: str) -> Path:
    return next(p for p in vector_files("models", "tiny_models/*") if p.name == name)


@pytest.fixture
def empty(tmp_path: Path) -> Workspace:
    root = tmp_path / "empty"
    init(root, InitConfig())
    return Workspace.open(root)


@pytest.fixture
def dfl_copy(tmp_path: Path) -> Path:
    folder = tmp_path / "dfl"
    shutil.copytree(_tiny("SAEHD_liae-ud_rmsprop"), folder)
    return folder


@pytest.mark.parametrize("arch", ["saehd", "amp", pytest.param("quick96", marks=pytest.mark.long)])
def test_trained_here_its_exported_files_give_its_numbers(face_workspace: Path, arch: str):
    """Plain NumPy reads the exported `.npy` files alone and agrees with our own prediction."""
    workspace = Workspace.open(face_workspace)
    small = {"saehd": ["archi=liae-udt"], "quick96": []}.get(
        arch, ["resolution=64", "inter_dims=24"]
    )
    dims = ["ae_dims=16", "e_dims=8", "d_dims=8", "d_mask_dims=8"]
    size = [*dims, *small] if arch != "quick96" else []
    if arch == "saehd":
        size.append("resolution=64")
    settings = [*size, "batch_size=2", "learning_rate=1e-3"]
    _train(workspace, "mine", arch=arch, target_iter=3, set=settings)

    report = do(workspace, "export")

    kinds = {"saehd": "SAEHD", "amp": "AMP", "quick96": "Quick96"}
    predictor = load_predictor(workspace.model_dir("mine"))
    side = predictor.resolution
    face = np.random.default_rng(1).random((side, side, 3), dtype=np.float32)
    swap, swap_mask, dst_mask = predictor.predict(face[None])
    found = plain_dfl.predict(report.files[0].parent, f"mine_{kinds[arch]}", face, 1.0)
    assert difference(found["bgr"], swap[0]) < CLOSE
    assert difference(found["mask_src_dst"], swap_mask[0, ..., 0]) < CLOSE
    assert difference(found["mask_dst_dst"], dst_mask[0, ..., 0]) < CLOSE
    state = pickle.loads((workspace.models_dir / f"mine_{kinds[arch]}_data.dat").read_bytes())
    assert state["iter"] == 3
    assert len(state["loss_history"]) == 3


@pytest.mark.parametrize("name", ["SAEHD_df-ud", "SAEHD_liae-ud_rmsprop", "AMP"])
def test_an_imported_model_goes_on_training_and_back(face_workspace: Path, name: str):
    workspace = Workspace.open(face_workspace)
    imported = do(workspace, "import", from_=_tiny(name))
    assert (imported.model, imported.iteration) == ("tiny", 3)
    before = pickle.loads(next(_tiny(name).glob("*_src_dst_opt.npy")).read_bytes())

    _train(workspace, "tiny", target_iter=5)
    do(workspace, "export", model="tiny")

    assert do(workspace, "info", model="tiny").iteration == 5
    losses = read_losses(workspace.model_dir("tiny") / "losses.bin")
    stored = pickle.loads(next(_tiny(name).glob("tiny_*_data.dat")).read_bytes())
    state = pickle.loads(next(workspace.models_dir.glob("tiny_*_data.dat")).read_bytes())
    assert state["iter"] == 5
    assert state["loss_history"][:3] == stored["loss_history"]
    assert state["loss_history"][3:] == losses[3:].tolist()
    assert state["options"] == stored["options"]
    after = pickle.loads(next(workspace.models_dir.glob("*_src_dst_opt.npy")).read_bytes())
    assert list(after) == list(before)
    assert int(after["iters:0"]) == int(before["iters:0"]) + 2
    # The step continued from the stored slots: with a fresh optimizer they would be far smaller.
    slot = next(key for key in before if key.startswith(("vs_", "acc_")))
    assert not np.array_equal(after[slot], before[slot])
    # Two steps of decay (0.9 each in RMSprop, 0.999 in AdaBelief) leave most of what was stored.
    assert (after[slot] >= 0.8 * before[slot]).all()


def test_a_pretraining_model_stays_one(empty: Workspace, dfl_copy: Path):
    data = dfl_copy / "tiny_SAEHD_data.dat"
    state = pickle.loads(data.read_bytes())
    state["options"]["pretrain"] = True
    data.write_bytes(pickle.dumps(state))
    assert do(empty, "import", from_=dfl_copy).pretraining
    assert do(empty, "info", model="tiny").pretraining
    assert (empty.model_dir("tiny") / "losses-pretraining.bin").exists()
    do(empty, "export", model="tiny")
    written = pickle.loads((empty.models_dir / "tiny_SAEHD_data.dat").read_bytes())
    assert written["options"]["pretrain"] is True
    assert written["loss_history"] == state["loss_history"]


def test_models_in_the_model_folder_are_named_until_they_are_imported(empty: Workspace):
    shutil.copytree(_tiny("AMP"), empty.models_dir, dirs_exist_ok=True)
    listed = do(empty, "list")
    assert listed.models == ()
    assert listed.not_imported == ("tiny_AMP",)
    assert "model import --model tiny_AMP" in listed.summary()
    before = {path: path.read_bytes() for path in empty.models_dir.glob("tiny_*")}

    do(empty, "import")

    listed = do(empty, "list")
    assert [entry["name"] for entry in listed.models] == ["tiny"]
    assert listed.not_imported == ()
    assert do(empty, "info").not_imported == ()
    assert {path: path.read_bytes() for path in empty.models_dir.glob("tiny_*")} == before


def test_an_export_says_what_deepfacelab_will_not_know(empty: Workspace, dfl_copy: Path):
    do(empty, "import", from_=dfl_copy, as_="my_face")
    report = do(empty, "export", model="my_face")
    assert {path.name.split("_")[0] for path in report.files} == {"my-face"}
    assert any("my-face_SAEHD" in problem for problem in report.problems)


def test_the_command_line_imports_and_exports(
    cli, empty: Workspace, dfl_copy: Path, tmp_path: Path
):
    words = ("model", "import", "-w", empty.root, "--from", dfl_copy, "--as", "mine")
    report = cli.report(*words)
    assert report["model"] == "mine"
    assert report["iteration"] == 3
    assert report["id"] == "tiny_SAEHD"
    out = tmp_path / "out"
    for kind, name in (("dfl", "mine_SAEHD_data.dat"), ("onnx", "mine_SAEHD_model.onnx")):
        report = cli.report("model", "export", "-w", empty.root, "--format", kind, "--out", out)
        assert str(out / name) in report["files"]
    assert "--as NAME" in cli.refusal(*words)


def _missing(folder: Path) -> None:
    (folder / "tiny_SAEHD_inter_B.npy").unlink()


def _truncated(folder: Path) -> None:
    path = folder / "tiny_SAEHD_decoder.npy"
    path.write_bytes(path.read_bytes()[:5000])


def _misshapen(folder: Path) -> None:
    path = folder / "tiny_SAEHD_encoder.npy"
    weights = pickle.loads(path.read_bytes())
    weights["down1/downs_0/conv1/bias:0"] = np.zeros(3, np.float32)
    path.write_bytes(pickle.dumps(weights, protocol=4))


class _Attack:
    def __reduce__(self):
        return print, ("this must never be seen",)


def _hostile(folder: Path) -> None:
    path = folder / "tiny_SAEHD_data.dat"
    path.write_bytes(pickle.dumps({"iter": 3, "options": _Attack()}, protocol=4))


def _empty(folder: Path) -> None:
    (folder / "tiny_SAEHD_data.dat").unlink()


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (_missing, "tiny_SAEHD_inter_B.npy is missing"),
        (_truncated, "tiny_SAEHD_decoder.npy is truncated"),
        (_misshapen, "encoder/down1/downs_0/conv1/bias:0 has shape [3] instead of [4]"),
        (_hostile, "was not opened"),
        (_empty, "holds no DeepFaceLab model"),
    ],
)
def test_a_bad_model_is_refused_in_one_sentence(
    cli, empty: Workspace, dfl_copy: Path, damage: Any, complaint: str
):
    damage(dfl_copy)
    sentence = cli.refusal("model", "import", "-w", empty.root, "--from", dfl_copy)
    assert complaint in sentence
    assert do(empty, "list").models == ()


def test_an_unknown_name_is_refused_in_one_sentence(cli, empty: Workspace, dfl_copy: Path):
    words = ("model", "import", "-w", empty.root, "--from", dfl_copy, "--model", "other")
    assert "holds no model 'other'; there are tiny_SAEHD" in cli.refusal(*words)
    assert "no model 'other'" in cli.refusal(
        "model", "export", "-w", empty.root, "--model", "other"
    )


def test_rights_stand_in_an_exported_file(dfl_copy: Path, tmp_path: Path):
    import onnxruntime

    root = tmp_path / "mine"
    init(root, from_mapping(InitConfig, {"src_rights": "consent", "dst_rights": "self",
                                         "note": "signed 2026"}))  # fmt: skip
    workspace = Workspace.open(root)
    do(workspace, "import", from_=dfl_copy)
    report = do(workspace, "export", format="dfm")
    said = onnxruntime.InferenceSession(report.files[0]).get_modelmeta().custom_metadata_map
    assert said["rights_src"].startswith("consent")
    assert said["rights_dst"].startswith("self")
    assert said["software"] == "dflcolab"
    assert said["iteration"] == "3"
    assert "synthetic" in said["note"]
