"""Every kind of model learns, alone and with all that its options add."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from dflcolab.config import updated
from dflcolab.losses.segmentation import grey_loss
from dflcolab.models.kinds import options_of
from dflcolab.models.layers import Weights
from dflcolab.models.presets import PRESETS
from dflcolab.models.xseg.network import XSeg
from dflcolab.training.augment import PADDING, Sampled
from dflcolab.training.model_state import ModelState, optimizer_settings
from dflcolab.training.objective import Batch
from dflcolab.training.quick96_objective import repeats_batch
from dflcolab.training.step import TrainingStep

TINY = {
    "saehd": {"archi": "df-ud", "ae_dims": 16, "e_dims": 8, "d_dims": 8, "d_mask_dims": 4},
    "amp": {"ae_dims": 16, "inter_dims": 16, "e_dims": 4, "d_dims": 4, "d_mask_dims": 4},
    "quick96": {},
}
EVERYTHING = {
    "gan_power": 0.1, "gan_dims": 4, "gan_patch_size": 8, "true_face_power": 0.01,
    "face_style_power": 0.1, "bg_style_power": 1, "clipgrad": True, "lr_dropout": "y",
}  # fmt: skip


def _options(arch: str, **changes):
    size = {} if arch == "quick96" else {"resolution": 64}
    return options_of(arch, {**size, **TINY[arch], "batch_size": 2, **changes})


def _faces(size: int) -> np.ndarray:
    """Two faces of one side as the step takes them."""
    y, x = np.mgrid[: size + 2 * PADDING, : size + 2 * PADDING] * 64 / size
    face = np.stack([x * 3, y * 3, 255 - x * 2, 255 * (x > 20), 255 * (y > 40)], axis=2)
    return np.repeat(face[None].astype(np.uint8), 2, axis=0)


def _batch(size: int) -> Batch:
    faces = _faces(size)[:, PADDING:-PADDING, PADDING:-PADDING].astype(np.float32) / 255
    src = Sampled(*(tf.constant(v) for v in np.split(faces[..., [0, 1, 2, 0, 1, 2, 3, 4]],
                                                     [3, 6, 7], axis=3)))  # fmt: skip
    return Batch(src, Sampled(*(part[:, :, ::-1] for part in src)))


def _snapshot(state: ModelState) -> dict[str, np.ndarray]:
    return {name: variable.numpy() for name, variable in state.variables.items()}


def _moved(state: ModelState, before: dict[str, np.ndarray]) -> set[str]:
    """Scopes of which something changed."""
    return {
        name.split("/")[0]
        for name, variable in state.variables.items()
        if not np.array_equal(variable.numpy(), before[name])
    }


@pytest.mark.parametrize("arch", ["saehd", "amp", "quick96"])
def test_losses_on_a_fixed_batch_fall(arch: str):
    options = _options(arch, learning_rate=5e-4)
    step = TrainingStep(options, ModelState(options, seed=0))
    batch = _batch(options.resolution)
    losses = [
        sum(float(np.mean(side)) for side in step.fixed_step(*batch, tf.constant(i, tf.int64)))
        for i in range(1, 7 if arch == "quick96" else 31)
    ]
    # AdaBelief and RMSprop at ten times DFL's rate halve the loss of one batch within 30 steps;
    # three quarters leave room for Quick96, which takes fewer steps and skips 70 % of each.
    assert losses[-1] < 0.75 * losses[0]


@pytest.mark.parametrize(
    ("arch", "precision"),
    [
        ("saehd", "float32"),
        pytest.param("saehd", "mixed_float16", marks=pytest.mark.long),
        ("amp", "mixed_bfloat16"),
    ],
)
def test_every_network_with_a_loss_moves_and_no_other(arch: str, precision: str):
    extra = EVERYTHING if arch == "saehd" else {
        k: v for k, v in EVERYTHING.items() if "style" not in k and "true_face" not in k
    }  # fmt: skip
    options = _options(arch, **extra)
    state = ModelState(options, seed=0)
    step = TrainingStep(options, state, precision=precision)
    before = _snapshot(state)
    faces = _faces(64)

    # In float16 the scale of the losses is halved until no gradient overflows; such steps are
    # left out.
    steps = 12 if precision == "mixed_float16" else 1
    for i in range(1, steps + 1):
        losses = step.step(faces, faces[:, :, ::-1], tf.constant(i, tf.int64)).numpy()
        assert np.isfinite(losses).all()

    expected = {
        "saehd": {"encoder", "inter", "decoder_src", "decoder_dst", "dis", "D_src"},
        "amp": {"encoder", "decoder", "GAN"},
    }
    assert _moved(state, before) == expected[arch]
    assert all(np.isfinite(value).all() for value in state.weights().values())
    done = [int(optimizer.iterations.numpy()) for optimizer in state.optimizers.values()]
    assert all(1 <= count <= steps for count in done)


def test_the_inters_of_amp_train_where_somebody_asks_for_it():
    options = _options("amp", train_inters=True)
    state = ModelState(options, seed=0)
    step = TrainingStep(options, state)
    before = _snapshot(state)
    step.fixed_step(*_batch(64))
    assert _moved(state, before) == {"encoder", "inter_src", "inter_dst", "decoder"}


def test_inter_ab_trains_without_warp_where_somebody_asks_for_it():
    options = _options("saehd", archi="liae-ud", random_warp=False, freeze_inter_ab=False)
    state = ModelState(options, seed=0)
    step = TrainingStep(options, state)
    before = _snapshot(state)
    step.fixed_step(*_batch(64))
    assert "inter_AB" in _moved(state, before)


def test_pretraining_steps_no_discriminator():
    options = _options("saehd", **EVERYTHING, pretrain=True)
    state = ModelState(options, seed=0)
    step = TrainingStep(options, state)
    assert [stage.optimizer for stage in step.objective.stages] == ["src_dst_opt"]
    assert "D_src/in_conv/weight:0" not in state.variables
    assert "dis/out_conv/weight:0" in state.variables  # its generator term stays


def test_mean_gradients_are_the_sums_over_the_batch_size():
    both = []
    for mean in (False, True):
        options = _options("saehd", mean_gradient=mean)
        step = TrainingStep(options, ModelState(options, seed=0))
        batch = _batch(64)
        both.append(step.gradients(step.objective.stages[0], batch, tf.zeros([2], tf.int64))[1])
    for name, total in both[0].items():
        np.testing.assert_allclose(both[1][name], total / 2, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("option", "value"),
    [("bg_style_predicted_mask", True), ("tv_axes_of_gpu", True)],
)
def test_a_repair_changes_the_gradients_and_nothing_that_is_shown(option: str, value: bool):
    found = []
    for changes in ({}, {option: value}):
        options = _options("saehd", **EVERYTHING, **changes)
        step = TrainingStep(options, ModelState(options, seed=0))
        stage = step.objective.stages[0]
        losses, gradients = step.gradients(stage, _batch(64), tf.zeros([2], tf.int64))
        found.append((losses.shown[1].numpy(), gradients["decoder_src/out_conv/bias:0"].numpy()))
    np.testing.assert_array_equal(found[0][0], found[1][0])  # dst
    assert not np.array_equal(found[0][1], found[1][1])


def test_quick96_takes_every_third_batch_again_without_its_warp(monkeypatch):
    assert [i for i in range(1, 12) if repeats_batch(i)] == [4, 7, 10]
    options = _options("quick96")
    step = TrainingStep(options, ModelState(options, seed=0))
    faces = _faces(96)

    def batch(i: int):
        return step._sample(faces, faces, tf.constant(i, tf.int64))

    third, fourth, fifth = batch(3), batch(4), batch(5)
    np.testing.assert_array_equal(fourth.src.target, third.src.target)
    np.testing.assert_array_equal(fourth.src.warped, third.src.target)
    assert not np.array_equal(third.src.warped, third.src.target)
    assert not np.array_equal(fifth.src.target, third.src.target)


def test_amp_draws_exactly_its_share_of_channels_anew_for_each_face_and_step():
    model = TrainingStep(_options("amp"), ModelState(_options("amp"), seed=0)).objective.model
    drawn = [model.random_channels(8, tf.constant([1, i], tf.int64)).numpy() for i in (1, 2)]
    assert (np.concatenate(drawn).sum(axis=1) == 8).all()  # half of 16
    assert len({tuple(row) for row in np.concatenate(drawn)}) > 12
    np.testing.assert_array_equal(
        model.random_channels(8, tf.constant([1, 1], tf.int64)).numpy(), drawn[0]
    )


def test_amp_morphs_from_dst_to_src():
    options = _options("amp")
    state = ModelState(options, seed=0)
    model = TrainingStep(options, state).objective.model
    weights = Weights(state.variables)
    x = _batch(64)[1].target
    swap, own = model.swap_and_dst(weights, x, morph=0.0)
    np.testing.assert_allclose(swap.picture, own.picture, atol=1e-6)
    full, _ = model.swap_and_dst(weights, x, morph=1.0)
    half = model.swap(weights, x, morph=tf.constant(0.5))
    distances = [float(np.abs(f.picture - own.picture).mean()) for f in (half, full)]
    assert 0 < distances[0] < distances[1]


def test_the_xseg_network_learns_to_redraw_in_grey():
    """That it learns masks is shown by its own training (`tests/xseg/test_training.py`)."""
    options = options_of("xseg", {"base": 2, "batch_size": 1, "learning_rate": 2e-3})
    state, network = ModelState(options, seed=0), XSeg(2)
    faces = _batch(256)[0].target[:1]
    optimizer = state.optimizers["XSeg_256_opt"]
    settings = optimizer_settings(options)
    assert (settings.kind, settings.dropout_keep, settings.cosine_period) == ("rmsprop", 0.3, 0)

    @tf.function(autograph=False)
    def step(seed):
        with tf.GradientTape() as tape:
            logits = network(Weights(state.variables), faces, pretrain=True)
            total = tf.reduce_sum(grey_loss(faces, logits))
        gradients = tape.gradient(total, list(state.variables.values()))
        named = zip(state.variables, gradients, strict=True)
        optimizer.apply({n: g for n, g in named if g is not None}, settings, seed=seed)
        return total

    losses = [float(step(tf.constant([0, i], tf.int64))) for i in range(24)]
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("arch", PRESETS)
def test_the_optimizers_of_a_kind_have_its_settings(arch: str):
    options = options_of(arch, PRESETS[arch]["tiny"])
    settings = optimizer_settings(options)
    if arch == "quick96":
        assert (settings.kind, settings.learning_rate) == ("rmsprop", 2e-4)
        assert (settings.dropout_keep, settings.cosine_period) == (0.3, 0)
        return
    assert (settings.kind, settings.dropout_keep) == ("adabelief", 1)
    dropped = optimizer_settings(updated(options, {"lr_dropout": "cpu"}))
    assert (dropped.dropout_keep, dropped.cosine_period) == (0.3, 500)
