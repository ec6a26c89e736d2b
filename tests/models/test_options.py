"""Options carry DeepFaceLab's names, and refuse what does not work in one sentence."""

from __future__ import annotations

import pytest

from dflcolab.errors import ConfigError
from dflcolab.faces.face_type import FaceType
from dflcolab.models.options import (
    Architecture,
    LearningRateDropout,
    SaehdOptions,
    options_from_dfl,
    saehd_options,
)
from dflcolab.models.presets import PRESETS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("df", Architecture("df")),
        ("liae-ud", Architecture("liae", pixel_norm=True, double=True)),
        ("DF-ctdu", Architecture("df", pixel_norm=True, double=True, deep=True, cosine=True)),
        ("liae-", Architecture("liae")),
    ],
)
def test_an_architecture_is_read_in_any_order_of_letters(text: str, expected: Architecture):
    assert Architecture.parse(text) == expected
    assert Architecture.parse(str(expected)) == expected


@pytest.mark.parametrize("text", ["", "dfl", "df-x", "df-uu", "liae ud", "hd"])
def test_other_architectures_are_refused(text: str):
    with pytest.raises(ConfigError, match="archi"):
        Architecture.parse(text)


def test_defaults_are_those_of_deepfacelab():
    options = SaehdOptions()
    assert (options.resolution, options.archi, options.ae_dims) == (128, "liae-ud", 256)
    assert (options.e_dims, options.d_dims, options.d_mask_dims) == (64, 64, 22)
    assert options.adabelief
    assert options.random_warp
    assert options.masked_training
    assert options.random_dst_flip
    assert not options.random_src_flip
    assert options.learning_rate == 5e-5


def test_text_from_the_command_line_is_understood():
    options = saehd_options({"face_type": "wf", "lr_dropout": "true", "random_warp": "n"})
    assert options.face_type is FaceType.WHOLE
    assert options.lr_dropout is LearningRateDropout.YES
    assert not options.random_warp


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"resolution": 100}, "multiple of 32"),
        ({"resolution": 112, "archi": "df-t"}, "multiple of 32"),
        ({"e_dims": 33}, "34"),
        ({"face_type": "mark_only"}, "face_type"),
        ({"gan_power": 0.1}, "gan_power"),
        ({"ct_mode": "rct"}, "ct_mode"),
        ({"batchsize": 4}, "batch_size"),
        ({"learning_rate": 3}, "learning_rate"),
    ],
)
def test_what_does_not_work_is_refused_by_name(values: dict, word: str):
    with pytest.raises(ConfigError, match=word):
        saehd_options(values)


def test_options_of_a_deepfacelab_file_lose_only_what_is_off():
    stored = {
        "archi": "df-ud", "gan_power": 0.0, "gan_dims": 16, "ct_mode": "none", "resolution": 64,
        "models_opt_on_gpu": True, "autobackup_hour": 3, "face_type": "f", "lr_dropout": False,
    }  # fmt: skip
    assert options_from_dfl(stored).archi == "df-ud"
    with pytest.raises(ConfigError, match="gan_power"):
        options_from_dfl({**stored, "gan_power": 0.1})


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_valid(name: str):
    assert saehd_options(PRESETS[name]).batch_size >= 1
