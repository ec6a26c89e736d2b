"""Options carry DeepFaceLab's names, and refuse what does not work in one sentence."""

from __future__ import annotations

import pytest

from dflcolab.config import to_plain
from dflcolab.errors import ConfigError, ModelError
from dflcolab.faces.face_type import FaceType
from dflcolab.models.amp.options import AmpOptions, amp_options
from dflcolab.models.architecture import Architecture
from dflcolab.models.build import groups_of
from dflcolab.models.kinds import KINDS, options_from_dfl, options_of, swap_options_of
from dflcolab.models.options import ColorTransfer, LearningRateDropout
from dflcolab.models.presets import PRESETS
from dflcolab.models.quick96 import Quick96Options, quick96_options
from dflcolab.models.saehd.options import SaehdOptions, saehd_options
from dflcolab.models.xseg.options import XSegOptions


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
        ({"gan_power": 5.5}, "gan_power"),
        ({"gan_dims": 2}, "gan_dims"),
        ({"true_face_power": 2}, "true_face_power"),
        ({"ct_mode": "rgb"}, "ct_mode"),
        ({"batchsize": 4}, "batch_size"),
        ({"learning_rate": 3}, "learning_rate"),
    ],
)
def test_what_does_not_work_is_refused_by_name(values: dict, word: str):
    with pytest.raises(ConfigError, match=word):
        saehd_options(values)


def test_options_of_a_deepfacelab_file_are_taken_over():
    stored = {
        "archi": "df-ud", "gan_power": 0.1, "gan_dims": 16, "ct_mode": "rct", "resolution": 64,
        "models_opt_on_gpu": True, "autobackup_hour": 3, "face_type": "f", "lr_dropout": False,
        "eyes_prio": True, "gan_patch_size": None,
    }  # fmt: skip
    options = options_from_dfl("SAEHD", stored)
    assert isinstance(options, SaehdOptions)
    assert options.archi == "df-ud"
    assert options.uses_gan
    assert options.gan_patch == 8
    assert options.ct_mode is ColorTransfer.RCT
    assert options.autobackup_hour == 3
    with pytest.raises(ModelError, match="SAEHE"):
        options_from_dfl("SAEHE", stored)


def test_the_mask_decoder_is_a_third_of_the_decoder_where_nobody_says():
    assert saehd_options({"d_dims": 64}).d_mask_dims == 22
    assert saehd_options({"d_dims": "48"}).d_mask_dims == 16
    assert amp_options({"d_dims": 80}).d_mask_dims == 26
    assert saehd_options({"d_dims": 48, "d_mask_dims": 30}).d_mask_dims == 30


def test_true_face_is_for_df_only_and_gan_not_for_pretraining():
    assert saehd_options({"archi": "df", "true_face_power": 0.01}).code_power == 0.01
    assert saehd_options({"archi": "liae", "true_face_power": 0.01}).code_power == 0
    assert not saehd_options({"gan_power": 0.1, "pretrain": True}).uses_gan


def test_defaults_of_the_other_kinds_are_those_of_deepfacelab():
    amp = AmpOptions()
    assert (amp.resolution, amp.face_type) == (224, FaceType.WHOLE)
    assert (amp.ae_dims, amp.inter_dims, amp.morph_factor) == (256, 1024, 0.5)
    assert not amp.train_inters
    quick = Quick96Options()
    assert (quick.resolution, quick.batch_size, quick.learning_rate) == (96, 4, 2e-4)
    assert (XSegOptions().face_type, XSegOptions().batch_size) == (FaceType.WHOLE, 4)


@pytest.mark.parametrize(
    ("build", "values", "word"),
    [
        (quick96_options, {"resolution": 128}, "resolution"),
        (amp_options, {"resolution": 80}, "multiple of 32"),
        (amp_options, {"adabelief": True}, "adabelief"),
        (amp_options, {"face_type": "mark_only"}, "face_type"),
    ],
)
def test_what_a_kind_does_not_know_is_refused_by_name(build, values: dict, word: str):
    with pytest.raises(ConfigError, match=word):
        build(values)


@pytest.mark.parametrize("arch", KINDS)
def test_options_survive_the_way_through_a_checkpoint(arch: str):
    options = options_of(arch, {"batch_size": 3})
    assert options.arch == arch
    assert options_of(arch, to_plain(options)) == options


def test_a_network_that_swaps_no_faces_and_an_unknown_kind_are_refused():
    with pytest.raises(ModelError, match="XSeg"):
        swap_options_of("xseg", {})
    with pytest.raises(ModelError, match="newer"):
        options_of("saehd2", {})


@pytest.mark.parametrize(("arch", "name"), [(a, name) for a in PRESETS for name in PRESETS[a]])
def test_every_preset_is_valid(arch: str, name: str):
    options = options_of(arch, PRESETS[arch][name])
    assert groups_of(options)
    assert set(PRESETS[arch]) == set(PRESETS["saehd"])
