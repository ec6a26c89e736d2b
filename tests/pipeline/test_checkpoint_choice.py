"""`--checkpoint`: merges, masks and exports take the state that was asked for, and mix no two."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

from dflcolab.engine.checkpoint import INDEX
from dflcolab.errors import CheckpointError, ConfigError
from dflcolab.formats.dfl_jpeg import read_record
from dflcolab.merging.config import MergeConfig
from dflcolab.pipeline.mask_apply import apply_masks
from dflcolab.pipeline.merge import merge
from dflcolab.pipeline.merge_tuning import open_tuning
from dflcolab.pipeline.model import ModelInfo, model
from dflcolab.pipeline.model_files import ExportReport
from dflcolab.training.config import ModelConfig
from dflcolab.widgets.tuner_desk import TunerDesk
from dflcolab.workspace.workspace import Side, Workspace
from dflcolab.xseg.config import MaskConfig
from tests.pipeline.later_state import save_later
from tests.xseg.test_apply import make_model

LOOK = ("mask_mode=dst", "blur_mask_modifier=20")


@pytest.fixture
def workspace(trained_workspace: Path) -> Workspace:
    """The model `tiny` is at iteration 9; its best state is that of iteration 6."""
    workspace = Workspace.open(trained_workspace)
    save_later(workspace.model_dir("tiny"), score=1.25)
    return workspace


def _config(**changes) -> MergeConfig:
    return MergeConfig(**{"model": "tiny", "set": LOOK, "frames": "9:11", **changes})


def _picture(path: Path) -> np.ndarray:
    found = cv2.imread(str(path))
    assert found is not None
    return found.astype(int)


def _merged(workspace: Workspace) -> np.ndarray:
    return _picture(workspace.merged_dir / "00010.png")


def test_a_merge_takes_the_state_that_is_asked_for_and_makes_frames_of_another_anew(
    workspace: Workspace,
):
    of_latest = merge(workspace, _config())
    latest = _merged(workspace)
    assert of_latest.iteration == 9
    (sentence,) = of_latest.better
    assert sentence in of_latest.summary()
    assert "iteration 6 has a held-out score 20.0 % lower than iteration 9" in sentence

    of_best = merge(workspace, _config(checkpoint="best"))

    assert (of_best.iteration, of_best.kept, of_best.better) == (6, 0, ())
    assert np.abs(_merged(workspace) - latest).max() > 8
    again = merge(workspace, _config(checkpoint=6))  # the same state by its other name
    assert (again.iteration, again.kept) == (6, 2)
    assert json.loads((workspace.merged_dir / "merge.json").read_text())["iteration"] == 6


def test_a_video_of_one_state_has_no_part_of_another(workspace: Workspace):
    options = {"video": True, "frames": None, "encode": ("quality=draft",)}
    assert merge(workspace, _config(**options)).iteration == 9
    of_best = merge(workspace, _config(**options, checkpoint="best"))
    assert (of_best.iteration, of_best.kept) == (6, 0)


def test_preview_and_tuner_show_the_state_that_is_asked_for(workspace: Workspace, tmp_path: Path):
    pictures = [tmp_path / "latest.png", tmp_path / "best.png"]
    merge(workspace, _config(preview=pictures[0]))
    merge(workspace, _config(preview=pictures[1], checkpoint="best"))
    latest, best = (_picture(path) for path in pictures)
    assert np.abs(latest - best).max() > 8

    tuning = open_tuning(workspace, _config(checkpoint="best"))
    assert tuning.better == []
    shown = tuning.merged(9, TunerDesk(tuning).options)
    of_latest = open_tuning(workspace, _config())
    assert "--checkpoint best takes it" in of_latest.better[0]
    assert np.abs(of_latest.merged(9, TunerDesk(of_latest).options).astype(int) - shown).max() > 8


def test_masks_are_those_of_the_state_that_is_asked_for(workspace: Workspace):
    make_model(workspace)
    save_later(workspace.model_dir("xseg"), score=2.0)
    face = next(iter(sorted(workspace.aligned_dir(Side.SRC).glob("*.jpg"))))
    found = []
    for checkpoint in ("latest", "best"):
        config = MaskConfig(action="apply", side=Side.SRC, checkpoint=checkpoint)
        report = apply_masks(workspace, config)
        record = read_record(face)
        assert record is not None
        found.append((report.iteration, report.better, record.xseg_mask))
    assert [iteration for iteration, *_ in found] == [10, 7]
    assert "iteration 7 has a held-out score 50.0 % lower" in found[0][1]
    assert found[1][1] == ""
    assert found[0][2] != found[1][2]

    look = ("mask_mode=XSeg-prd*XSeg-dst",)
    of_latest = merge(workspace, _config(set=look, checkpoint="best"))
    assert "--xseg-checkpoint best takes it" in of_latest.better[0]
    of_best = merge(workspace, _config(set=look, checkpoint="best", xseg_checkpoint="best"))
    assert (of_best.kept, of_best.better) == (0, ())


def test_an_export_holds_the_state_that_is_asked_for(workspace: Workspace):
    config = ModelConfig(action="export", model="tiny", format="onnx", checkpoint="best")
    report = model(workspace, config)
    assert isinstance(report, ExportReport)
    session = onnxruntime.InferenceSession(report.files[0])
    assert session.get_modelmeta().custom_metadata_map["iteration"] == "6"
    before = model(workspace, replace(config, checkpoint="latest"))
    assert "--checkpoint best takes it" in before.summary()


def test_a_state_that_is_not_there_is_refused_everywhere(workspace: Workspace, cli):
    with pytest.raises(CheckpointError, match=r"no checkpoint of iteration 7 .* one: 6, 9\."):
        merge(workspace, _config(checkpoint=7))
    assert not workspace.merged_dir.exists()
    with pytest.raises(CheckpointError, match="no checkpoint of iteration 7"):
        model(workspace, ModelConfig(action="export", model="tiny", checkpoint=7))
    refused = cli.refusal("model", "restore", "-w", workspace.root, "--checkpoint", "7")
    assert refused.endswith("the iteration of one: 6, 9.")


def test_model_info_lists_the_checkpoints_and_says_which_is_the_best(workspace: Workspace):
    info = model(workspace, ModelConfig(action="info", model="tiny"))
    assert isinstance(info, ModelInfo)
    assert [(s.iteration, s.held_out_loss) for s in info.states] == [(6, 1.0), (9, 1.25)]
    assert info.best == "ckpt-000000006"
    assert "  iteration 6, held-out score 1: best\n" in info.summary()
    assert "  iteration 9, held-out score 1.25: latest\n" in info.summary()


def test_a_restore_without_a_state_is_refused_and_one_again_changes_nothing(
    workspace: Workspace, cli
):
    with pytest.raises(ConfigError, match="add --checkpoint best"):
        ModelConfig(action="restore")
    with pytest.raises(CheckpointError, match="no checkpoint of iteration 8"):
        model(workspace, ModelConfig(action="restore", model="tiny", checkpoint=8))

    report = cli.report("model", "restore", "-w", workspace.root, "--checkpoint", "best")
    index = json.loads((workspace.model_dir("tiny") / INDEX).read_text())
    again = model(workspace, ModelConfig(action="restore", model="tiny", checkpoint="best"))

    assert (report["from_iteration"], report["iteration"]) == (9, 6)
    assert "at iteration 6 already" in again.summary()
    assert index == json.loads((workspace.model_dir("tiny") / INDEX).read_text())
    assert index["latest"] == index["best"] == "ckpt-000000006"
    assert set(index["checkpoints"]) == {"ckpt-000000006", "ckpt-000000009"}
