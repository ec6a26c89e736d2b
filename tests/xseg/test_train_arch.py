"""`train --arch xseg`: what `mask train` does, under the other verb."""

from __future__ import annotations

from pathlib import Path

import pytest

from dflcolab.errors import ConfigError
from dflcolab.pipeline.any_training import any_training
from dflcolab.pipeline.mask_train import mask_config_of
from dflcolab.training.config import PretrainConfig, TrainConfig
from dflcolab.xseg.config import MaskConfig
from dflcolab.xseg.run import MaskTrainReport
from tests.xseg.label_files import face_paths, label, sample_workspace
from tests.xseg.test_training import SMALL


def test_options_mean_what_they_mean_to_mask_train():
    usual = mask_config_of(TrainConfig(model="m", arch="xseg"))
    assert usual == MaskConfig(action="train", model="m")
    given = mask_config_of(
        TrainConfig(model="m", arch="xseg", batch=2, target_iter=7, stop_on="plateau", set=SMALL)
    )
    assert given == MaskConfig(
        action="train", model="m", batch=2, target_iter=7, stop_on="plateau", set=SMALL
    )
    for strange in ({"preset": "tiny"}, {"batch": "auto"}, {"phase": "gan"}):
        with pytest.raises(ConfigError, match=next(iter(strange))):
            mask_config_of(TrainConfig(model="m", arch="xseg", **strange))
    with pytest.raises(ConfigError, match="with preview_every = 0 there are none"):
        mask_config_of(TrainConfig(model="m", arch="xseg", stop_on="overfit", preview_every=0))
    with pytest.raises(ConfigError, match="mask train --pretrain"):
        PretrainConfig(model="m", arch="xseg")


def test_the_kind_is_asked_for_once(tmp_path: Path, eager):
    workspace = sample_workspace(tmp_path / "workspace")
    label(face_paths(workspace)[0])
    first = TrainConfig(
        model="m", arch="xseg", set=SMALL, batch=1, target_iter=1, preview_every=0,
        remote=str(tmp_path / "remote"),
    )  # fmt: skip

    report = any_training(workspace.root, first)

    assert isinstance(report, MaskTrainReport)
    assert report.iteration == 1
    assert report.copy is not None
    assert report.copy.iteration == 1
    again = any_training(workspace, TrainConfig(model="m", target_iter=1, push_minutes=0))
    assert isinstance(again, MaskTrainReport)
    assert again.iterations_done == 0
