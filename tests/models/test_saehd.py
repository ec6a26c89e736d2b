"""Networks have the sizes of DeepFaceLab's, and weights go in and out strictly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from dflcolab.errors import FormatError, ModelError
from dflcolab.models import layers
from dflcolab.models.architecture import Architecture
from dflcolab.models.initial import initial_weights
from dflcolab.models.layers import Conv, Weights
from dflcolab.models.saehd.network import Saehd, SaehdSize
from dflcolab.models.weight_map import checked_weights, read_dfl_weights, write_dfl_weights

SMALL = SaehdSize(Architecture.parse("liae-ud"), 64, 8, 4, 4, 2)


@pytest.mark.parametrize(
    ("archi", "counts"),
    # DFL interoperability notes, section 2.1: encoder, one inter, one decoder.
    [
        ("df", (4_306_560, 14_959_872, 19_136_000)),
        ("df-ud", (4_306_560, 11_801_856, 19_181_291)),
        ("df-udt", (15_654_144, 3_150_080, 34_455_979)),
        ("liae-ud", (4_306_560, 19_933_440, 38_203_115)),
        ("liae-udt", (15_654_144, 4_202_752, 53_477_803)),
    ],
)
def test_parameter_counts_are_those_of_deepfacelab(archi: str, counts: tuple[int, ...]):
    model = Saehd(SaehdSize(Architecture.parse(archi), 128, 256, 64, 64, 22))
    parts = [model.encoder, next(iter(model.inters.values())), next(iter(model.decoders.values()))]
    ours = [sum(int(np.prod(shape)) for shape in part.shapes().values()) for part in parts]
    assert tuple(ours) == counts


def test_fresh_weights_are_glorot_uniform_and_depend_on_the_seed_alone():
    shapes = Saehd(SMALL).shapes()
    weights = initial_weights(shapes, seed=3)
    name = "decoder/upscale0/conv1/weight:0"
    height, width, n_in, n_out = shapes[name]
    limit = np.sqrt(6 / (height * width * (n_in + n_out)))
    assert 0.95 * limit < np.abs(weights[name]).max() <= limit
    # A uniform distribution has the deviation limit / sqrt(3); thousands of values give it to 5 %.
    assert weights[name].std() == pytest.approx(limit / np.sqrt(3), rel=0.05)
    assert not weights["decoder/upscale0/conv1/bias:0"].any()
    alone = initial_weights({name: shapes[name]}, seed=3)
    np.testing.assert_array_equal(alone[name], weights[name])
    assert not np.array_equal(initial_weights({name: shapes[name]}, seed=4)[name], weights[name])


def test_a_missing_or_misshapen_weight_is_named():
    model = Saehd(SMALL)
    weights = initial_weights(model.shapes(), seed=0)
    name = "inter_B/dense1/weight:0"
    with pytest.raises(ModelError, match=name):
        checked_weights(model.shapes(), {k: v for k, v in weights.items() if k != name}, source="x")
    with pytest.raises(ModelError, match=name):
        checked_weights(model.shapes(), weights | {name: np.zeros((2, 2), np.float32)}, source="x")
    assert checked_weights(model.shapes(), weights | {"other/weight:0": np.zeros(1)}, source="x")


def test_weight_files_survive_the_way_through_deepfacelab_format(tmp_path: Path):
    model = Saehd(SMALL)
    weights = initial_weights(model.shapes(), seed=1)
    written = write_dfl_weights(model.networks, weights, tmp_path, prefix="new_SAEHD_")
    assert {path.name for path in written} == {
        "new_SAEHD_encoder.npy", "new_SAEHD_inter_AB.npy", "new_SAEHD_inter_B.npy",
        "new_SAEHD_decoder.npy",
    }  # fmt: skip
    again = read_dfl_weights(model.networks, tmp_path, prefix="new_SAEHD_")
    assert all(np.array_equal(again[name], value) for name, value in weights.items())
    (tmp_path / "new_SAEHD_inter_B.npy").write_bytes(b"damaged")
    with pytest.raises(FormatError, match="inter_B"):
        read_dfl_weights(model.networks, tmp_path, prefix="new_SAEHD_")
    (tmp_path / "new_SAEHD_inter_B.npy").unlink()
    with pytest.raises(ModelError, match="inter_B"):
        read_dfl_weights(model.networks, tmp_path, prefix="new_SAEHD_")


def test_a_convolution_as_a_product_has_the_same_gradients(monkeypatch):
    generator = np.random.default_rng(0)
    x = tf.constant(generator.standard_normal((2, 5, 6, 3), dtype=np.float32))
    values = {
        "c/weight:0": tf.constant(generator.standard_normal((3, 3, 3, 4), dtype=np.float32)),
        "c/bias:0": tf.constant(generator.standard_normal(4, dtype=np.float32)),
    }

    def gradients():
        with tf.GradientTape() as tape:
            tape.watch([x, *values.values()])
            y = tf.reduce_sum(tf.square(Conv("c", 3, 4)(Weights(values), x)))
        return tape.gradient(y, [x, *values.values()])

    plain = gradients()
    monkeypatch.setattr(layers, "_WEIGHTS_PER_POSITION", 0)
    monkeypatch.setattr(layers, "_gpus", lambda: 0)
    for ours, theirs in zip(gradients(), plain, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_leaky_relu_has_its_usual_gradient():
    x = tf.constant([-2.0, -0.5, 0.5, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layers.leaky_relu(x, 0.1)
    np.testing.assert_allclose(y, [-0.2, -0.05, 0.5, 3.0], rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(y, x), [0.1, 0.1, 1, 1], rtol=1e-6)


def test_half_precision_computes_close_to_float32():
    model = Saehd(SMALL)
    values = {n: tf.constant(v) for n, v in initial_weights(model.shapes(), seed=0).items()}
    x = tf.constant(np.random.default_rng(0).random((2, 64, 64, 3), dtype=np.float32))
    wide = model.swap(Weights(values), x)
    narrow = model.swap(Weights(values, tf.bfloat16), x)
    assert narrow.picture.dtype == tf.float32
    # bfloat16 keeps 8 bits: 0.4 % per operation, and the sigmoid's slope is at most a quarter.
    np.testing.assert_allclose(narrow.picture, wide.picture, atol=0.02)
