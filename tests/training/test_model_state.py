"""What of a model survives options that come and go, and what the end of pretraining restarts."""

from __future__ import annotations

import numpy as np
import pytest

from dflcolab.errors import CheckpointError, ModelError
from dflcolab.models.kinds import options_of
from dflcolab.training.model_state import ModelState
from dflcolab.training.session import restarted_networks

TINY = {"resolution": 64, "ae_dims": 8, "e_dims": 4, "d_dims": 4, "d_mask_dims": 2}


def _options(arch: str = "saehd", **changes):
    return options_of(arch, {**TINY, **({"inter_dims": 8} if arch == "amp" else {}), **changes})


def _filled(options) -> ModelState:
    """A state whose optimizers remember something of everything."""
    state = ModelState(options, seed=1)
    generator = np.random.default_rng(0)
    for optimizer in state.optimizers.values():
        slots = {k: generator.random(v.shape, np.float32) for k, v in optimizer.state().items()}
        optimizer.load({**slots, "iters:0": np.int64(5)}, source="the test")
    return state


def _reloaded(state: ModelState, options, notes: list[str] | None = None) -> ModelState:
    return ModelState(
        options, seed=2, weights=state.weights(), optimizer=state.optimizer(),
        note=(notes if notes is not None else []).append,
    )  # fmt: skip


def _equal(a: dict, b: dict) -> bool:
    return set(a) == set(b) and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("arch", ["saehd", "amp"])
def test_discriminators_rest_while_they_are_off_and_go_on_unchanged(arch: str):
    powers = {"gan_power": 0.1, "gan_dims": 4}
    if arch == "saehd":
        powers |= {"true_face_power": 0.01, "archi": "df-ud"}
    on = _options(arch, **powers)
    off = _options(arch, **{**powers, "gan_power": 0, **({"true_face_power": 0} if
                   arch == "saehd" else {})})  # fmt: skip
    before = _filled(on)

    resting = _reloaded(before, off)
    assert list(resting.optimizers) == ["src_dst_opt"]
    assert _equal(resting.weights(), before.weights())
    assert _equal(resting.optimizer(), before.optimizer())

    notes: list[str] = []
    again = _reloaded(resting, on, notes)
    assert not notes
    assert list(again.optimizers) == list(before.optimizers)
    assert _equal(again.weights(), before.weights())
    assert _equal(again.optimizer(), before.optimizer())


def test_a_discriminator_of_another_width_starts_anew_and_says_so():
    before = _filled(_options(gan_power=0.1, gan_dims=4))
    notes: list[str] = []
    after = _reloaded(before, _options(gan_power=0.1, gan_dims=6), notes)
    assert len(notes) == 1
    assert notes[0].startswith("GAN starts anew")
    state = after.optimizers["GAN_opt"].state()
    assert state["iters:0"] == 0
    assert not any(value.any() for value in state.values())
    assert int(after.optimizers["src_dst_opt"].iterations.numpy()) == 5


def test_what_belongs_to_the_generator_must_be_there():
    options = _options()
    state = _filled(options)
    weights = state.weights()
    weights.pop("inter_B/dense1/bias:0")
    with pytest.raises(ModelError, match="inter_B/dense1/bias"):
        ModelState(options, seed=0, weights=weights, optimizer=state.optimizer(), source="x")
    with pytest.raises(CheckpointError, match="step count"):
        ModelState(options, seed=0, weights=state.weights(), optimizer={}, source="x")


def test_the_inters_of_amp_get_slots_when_they_begin_to_train():
    before = _filled(_options("amp"))
    after = _reloaded(before, _options("amp", train_inters=True)).optimizers["src_dst_opt"].state()
    old = before.optimizers["src_dst_opt"].state()
    assert not after["ms_inter_src/dense2/weight_0:0"].any()
    assert all(np.array_equal(after[key], value) for key, value in old.items())
    assert len(after) == len(old) + 8


@pytest.mark.parametrize(
    ("arch", "changes", "scopes"),
    [
        ("saehd", {"archi": "df-ud"}, ("inter/",)),
        ("saehd", {"archi": "liae-udt"}, ("inter_AB/", "inter_B/")),
        ("amp", {}, ()),
        ("amp", {"train_inters": True}, ("inter_src/", "inter_dst/")),
    ],
)
def test_the_networks_of_the_people_restart_after_pretraining(arch, changes, scopes):
    assert restarted_networks(_options(arch, **changes)) == scopes


@pytest.mark.parametrize("slots", [False, True])
def test_a_restart_draws_new_weights_and_forgets_moments_only_on_request(slots: bool):
    state = _filled(_options(archi="df-ud"))
    weights, moments = state.weights(), state.optimizer()

    state.restart(("inter/",), seed=9, slots=slots)

    for name, value in state.weights().items():
        is_kernel = name.endswith("weight:0")
        assert np.array_equal(value, weights[name]) != (name.startswith("inter/") and is_kernel)
    for key, value in state.optimizer().items():
        forgotten = slots and key.startswith(("ms_inter/", "vs_inter/"))
        assert np.array_equal(value, 0 * value if forgotten else moments[key])
