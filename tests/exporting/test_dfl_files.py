"""DeepFaceLab's folders: found, refused where a part is missing or wrong, never half replaced."""

from __future__ import annotations

import dataclasses
import errno
import functools
import os
import pickle
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dflcolab.engine.checkpoint import Checkpoint
from dflcolab.engine.optimizer_states import join_states, split_states
from dflcolab.errors import ConfigError, FormatError, ModelError
from dflcolab.exporting.dfl_export import ExportedFiles, write_dfl_model
from dflcolab.exporting.dfl_folder import (
    DflModel,
    choose_dfl_model,
    dfl_models,
    dfl_target,
)
from dflcolab.exporting.dfl_import import read_dfl_model
from dflcolab.exporting.dfl_options import options_from_dfl, options_to_dfl, unknown_to_dfl
from dflcolab.exporting.dfl_origin import Origin
from dflcolab.formats.leras_weights import read_weights, write_weights
from dflcolab.models.kinds import KINDS, options_of
from tests.exporting.models import (
    SMALL,
    losses,
    small_checkpoint,
    small_options,
    small_weights,
)


def _exported(folder: Path, name: str = "df-ud", **changes: int) -> tuple[DflModel, Checkpoint]:
    """A small model as DeepFaceLab's files."""
    options = small_options(name)
    checkpoint = small_checkpoint(folder.with_name(f"{folder.name}_own"), options, **changes)
    target = dfl_target(folder, "new", options.arch)
    write_dfl_model(target, checkpoint, options, losses(), None)
    return target, checkpoint


# Every kind of model.


@pytest.mark.parametrize("name", SMALL)
def test_every_kind_of_model_comes_back_as_it_was(tmp_path: Path, name: str):
    options = small_options(name)
    target, checkpoint = _exported(tmp_path / "dfl", name)

    back = read_dfl_model(target, seed=0)

    assert back.options == (
        dataclasses.replace(options, gan_patch_size=8) if hasattr(options, "gan_patch") else options
    )
    assert back.notes == ()
    assert back.contents.iteration == 7
    weights = small_weights(options)
    assert list(back.contents.weights) == list(weights)
    assert all(np.array_equal(back.contents.weights[key], weights[key]) for key in weights)
    slots = checkpoint.optimizer()
    assert set(back.contents.optimizer) == set(slots)
    assert all(np.array_equal(back.contents.optimizer[key], slots[key]) for key in slots)
    columns = 1 if options.arch == "xseg" else 2
    np.testing.assert_array_equal(back.losses[:, :columns], losses()[:, :columns])


def test_a_resting_discriminator_travels_with_the_model(tmp_path: Path):
    target, _ = _exported(tmp_path / "dfl", "gan")
    state = pickle.loads(target.data_path.read_bytes())
    state["options"]["gan_power"] = 0.0
    target.data_path.write_bytes(pickle.dumps(state))

    back = read_dfl_model(target, seed=0)

    assert "D_src/in_conv/weight:0" in back.contents.weights
    assert "GAN_opt/iters:0" in back.contents.optimizer


def test_a_resting_discriminator_of_another_size_is_left_out_with_a_note(tmp_path: Path):
    target, _ = _exported(tmp_path / "dfl", "gan")
    state = pickle.loads(target.data_path.read_bytes())
    state["options"] |= {"gan_power": 0.0, "gan_dims": 6}
    target.data_path.write_bytes(pickle.dumps(state))
    back = read_dfl_model(target, seed=0)
    assert "D_src/in_conv/weight:0" not in back.contents.weights
    assert ["new_SAEHD_GAN.npy" in note for note in back.notes] == [True]


def test_losses_that_nobody_knows_are_not_exported(tmp_path: Path):
    options = small_options("df")
    checkpoint = small_checkpoint(tmp_path / "m", options)
    history = losses()
    history[:3] = np.nan
    target = dfl_target(tmp_path / "dfl", "new", options.arch)
    write_dfl_model(target, checkpoint, options, history, None)
    stored = pickle.loads(target.data_path.read_bytes())["loss_history"]
    np.testing.assert_array_equal(np.array(stored, np.float32), history[3:])


# What is missing or wrong is named.


def _rewrite(path: Path, change: Callable[[dict], None]) -> None:
    weights = dict(read_weights(path))
    change(weights)
    write_weights(path, weights)


_BIAS = "down1/downs_0/conv1/bias:0"


@pytest.mark.parametrize("part", ["encoder", "inter", "decoder_dst", "src_dst_opt"])
def test_a_missing_file_is_named(tmp_path: Path, part: str):
    target, _ = _exported(tmp_path / "dfl")
    target.part_path(part).unlink()
    with pytest.raises(ModelError, match=f"new_SAEHD_{part}.npy is missing"):
        read_dfl_model(target, seed=0)


@pytest.mark.parametrize("part", ["GAN", "GAN_opt", "code_discriminator", "D_code_opt"])
def test_a_missing_file_of_an_active_discriminator_is_named(tmp_path: Path, part: str):
    target, _ = _exported(tmp_path / "dfl", "gan")
    target.part_path(part).unlink()
    with pytest.raises(ModelError, match=f"new_SAEHD_{part}.npy is missing"):
        read_dfl_model(target, seed=0)


def test_a_missing_weight_is_named(tmp_path: Path):
    target, _ = _exported(tmp_path / "dfl")
    _rewrite(target.part_path("encoder"), lambda weights: weights.pop(_BIAS))
    with pytest.raises(ModelError, match=f"lacks the weight encoder/{_BIAS}"):
        read_dfl_model(target, seed=0)


def test_a_weight_of_another_size_is_named(tmp_path: Path):
    target, _ = _exported(tmp_path / "dfl")
    wrong = {_BIAS: np.zeros(5, np.float32)}
    _rewrite(target.part_path("encoder"), lambda weights: weights.update(wrong))
    with pytest.raises(ModelError, match=rf"encoder/{_BIAS} has shape \[5\] instead of \[4\]"):
        read_dfl_model(target, seed=0)


@pytest.mark.parametrize("slot", ["iters:0", "vs_inter/dense1/bias_0:0"])
def test_a_missing_slot_is_named_with_a_way_on(tmp_path: Path, slot: str):
    target, _ = _exported(tmp_path / "dfl")
    _rewrite(target.part_path("src_dst_opt"), lambda state: state.pop(slot))
    with pytest.raises(ModelError, match="--no-optimizer") as caught:
        read_dfl_model(target, seed=0)
    assert slot in str(caught.value)
    assert read_dfl_model(target, seed=0, with_optimizer=False).contents.iteration == 7


def test_a_slot_of_another_size_is_named(tmp_path: Path):
    target, _ = _exported(tmp_path / "dfl")
    wrong = {"ms_inter/dense1/bias_0:0": np.zeros(3, np.float32)}
    _rewrite(target.part_path("src_dst_opt"), lambda state: state.update(wrong))
    with pytest.raises(ModelError, match=r"ms_inter/dense1/bias_0:0 has shape \[3\]"):
        read_dfl_model(target, seed=0)


def test_unknown_weights_are_ignored_and_another_shape_is_reshaped(tmp_path: Path):
    target, _ = _exported(tmp_path / "dfl")
    original = read_weights(target.part_path("encoder"))[_BIAS]
    changes = {_BIAS: original.reshape(2, 2), "of_a_fork:0": np.zeros(2, np.float32)}
    _rewrite(target.part_path("encoder"), lambda weights: weights.update(changes))
    weights = read_dfl_model(target, seed=0).contents.weights
    np.testing.assert_array_equal(weights[f"encoder/{_BIAS}"], original)
    assert not any("of_a_fork" in name for name in weights)


def test_weights_of_half_precision_are_widened(tmp_path: Path):
    target, _ = _exported(tmp_path / "dfl")
    half = read_weights(target.part_path("encoder"))[_BIAS].astype(np.float16)
    _rewrite(target.part_path("encoder"), lambda weights: weights.update({_BIAS: half}))
    found = read_dfl_model(target, seed=0).contents.weights[f"encoder/{_BIAS}"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, half.astype(np.float32))


def test_slots_of_the_other_optimizer_start_from_zero_and_its_steps_count_on(tmp_path: Path):
    target, _ = _exported(tmp_path / "dfl")
    state = pickle.loads(target.data_path.read_bytes())
    state["options"]["adabelief"] = False
    target.data_path.write_bytes(pickle.dumps(state))
    back = read_dfl_model(target, seed=0)
    assert int(back.contents.optimizer["iters:0"]) == 7
    slots = {key: value for key, value in back.contents.optimizer.items() if key != "iters:0"}
    assert all(key.startswith("acc_") and not value.any() for key, value in slots.items())
    assert "other kind of optimizer" in back.notes[0]


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_a_truncated_weight_file_is_refused(tmp_path: Path, size: int):
    target, _ = _exported(tmp_path / "dfl")
    path = target.part_path("decoder_src")
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(FormatError, match=r"decoder_src\.npy"):
        read_dfl_model(target, seed=0)


def test_a_model_that_never_trained_is_refused(tmp_path: Path):
    target, _ = _exported(tmp_path / "dfl")
    target.data_path.write_bytes(pickle.dumps({"iter": 0}))
    with pytest.raises(ModelError, match="never trained"):
        read_dfl_model(target, seed=0)


# Options.


def test_options_that_are_unknown_here_go_back_unchanged():
    stored = {"resolution": 128, "of_a_fork": [1, "x"], "archi": "DF-UD", "lr_dropout": True,
              "autobackup_hour": 99, "eyes_prio": True, "gan_power": None}  # fmt: skip
    mapped = options_from_dfl("saehd", stored)
    assert [note.split()[0] for note in mapped.notes] == ["autobackup_hour"]
    written = options_to_dfl(mapped.options, stored)
    assert {name: written[name] for name in stored} == stored
    assert list(written)[: len(stored)] == list(stored)


def test_what_changed_here_is_what_deepfacelab_finds():
    stored = {"resolution": 128, "random_warp": True, "lr_dropout": True, "of_a_fork": 1}
    options = options_from_dfl("saehd", stored).options
    changed = dataclasses.replace(options, random_warp=False, lr_dropout="n", learning_rate=1e-4)
    written = options_to_dfl(changed, stored)
    assert (written["random_warp"], written["lr_dropout"], written["of_a_fork"]) == (False, "n", 1)
    assert unknown_to_dfl(changed) == {"learning_rate": 1e-4}


def test_a_size_that_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="resolution"):
        options_from_dfl("saehd", {"resolution": 100})


@pytest.mark.parametrize("arch", KINDS)
def test_stored_options_are_plain_python_values(arch: str):
    written = options_to_dfl(options_of(arch, {}), {})
    assert {type(value) for value in written.values()} <= {int, float, bool, str}
    if arch in ("saehd", "amp"):
        assert written["gan_patch_size"] == written["resolution"] // 8


# Finding.


def test_models_are_found_by_their_data_file(tmp_path: Path):
    for name in ("a_SAEHD_data.dat", "my_face_SAEHD_data.dat", "b_AMP_data.dat", "XSeg_data.dat",
                 "a_Quick96_data.dat", "SAEHD_default_options.dat", "x_SAEHD_encoder.npy",
                 "sub/c_SAEHD_data.dat", "sub/deeper/d_SAEHD_data.dat",
                 "a_SAEHD_replaced_2026/a_SAEHD_data.dat", "a_SAEHD_autobackups/01/z_data.dat",
                 "_SAEHD_data.dat", ".h_SAEHD_data.dat"):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = dfl_models(tmp_path)
    assert [(m.name, m.dfl_class) for m in found] == [
        ("", "XSeg"), ("a", "Quick96"), ("a", "SAEHD"), ("b", "AMP"), ("my_face", "SAEHD"),
        ("c", "SAEHD"),
    ]  # fmt: skip
    assert choose_dfl_model(tmp_path, "A_saehd").id == "a_SAEHD"
    assert choose_dfl_model(tmp_path, "my_face").id == "my_face_SAEHD"
    assert choose_dfl_model(tmp_path, "xseg").id == "XSeg"
    with pytest.raises(ModelError, match="a_Quick96, a_SAEHD"):
        choose_dfl_model(tmp_path, "a")
    with pytest.raises(ModelError, match="no model 'z'"):
        choose_dfl_model(tmp_path, "z")
    with pytest.raises(ModelError, match="my_face_SAEHD"):
        choose_dfl_model(tmp_path, None)
    with pytest.raises(ModelError, match="--from"):
        choose_dfl_model(tmp_path / "sub" / "deeper" / "none", None)


def test_a_name_that_deepfacelab_would_not_find_is_changed(tmp_path: Path):
    assert dfl_target(tmp_path, "my_face", "saehd").id == "my-face_SAEHD"
    assert dfl_target(tmp_path, "my_face", "xseg").id == "XSeg"


# Replacing an older set.


def test_an_older_set_is_kept_whole_and_other_models_are_left_alone(tmp_path: Path):
    folder = tmp_path / "dfl"
    target, _ = _exported(folder, "gan")
    neighbours = {"newer_SAEHD_encoder.npy": b"1", "XSeg_256.npy": b"2", "new_AMP_data.dat": b"3"}
    for name, data in neighbours.items():
        (folder / name).write_bytes(data)
    before = _set_of(folder)

    # The new set has no discriminators: those of the old one must not stay beside it.
    written = _export_again(target, tmp_path / "other")

    assert written.replaced is not None
    assert _set_of(written.replaced) == before
    assert {path.name for path in written.files} == set(_set_of(folder))
    assert "new_SAEHD_GAN.npy" not in _set_of(folder)
    assert {name: (folder / name).read_bytes() for name in neighbours} == neighbours


def _set_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("new_SAEHD_*") if path.is_file()}


def _export_again(target: DflModel, own: Path) -> ExportedFiles:
    options = small_options("df-ud")
    checkpoint = small_checkpoint(own, options, iteration=9, n_losses=9)
    return write_dfl_model(target, checkpoint, options, losses(9), None)


def test_a_disk_that_fills_up_leaves_the_older_set(tmp_path: Path, monkeypatch):
    import dflcolab.exporting.dfl_export as module
    from dflcolab.errors import StorageError

    target, _ = _exported(tmp_path / "dfl")
    before = _set_of(target.folder)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_model_state", full)
    with pytest.raises(StorageError, match="disk is full"):
        _export_again(target, tmp_path / "other")
    assert _set_of(target.folder) == before
    assert {path.name for path in target.folder.iterdir()} == set(before)


def test_without_links_the_older_set_is_on_the_disk_before_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    target, _ = _exported(tmp_path / "dfl")
    before = _set_of(target.folder)
    reached: list[Path] = []
    fsync, unlink = os.fsync, Path.unlink

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    def told_fsync(descriptor: int) -> None:
        reached.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    def told_unlink(path: Path, missing_ok: bool = False) -> None:
        if path.parent == target.folder:
            monkeypatch.setattr(os, "fsync", fsync)
        unlink(path, missing_ok)

    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr(os, "fsync", told_fsync)
    monkeypatch.setattr(Path, "unlink", told_unlink)
    written = _export_again(target, tmp_path / "other")

    assert written.replaced is not None
    assert _set_of(written.replaced) == before
    # Two hidden folders: the new set, and the copies of the old one.
    files = Counter(path.parent for path in reached if path.parent.parent == target.folder)
    assert list(files.values()) == [len(before), len(before)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_any_step_deepfacelab_sees_one_whole_set_or_none(tmp_path: Path):
    """A child is killed at its n-th change of the disk, for every n until it gets through."""
    _, _ = _exported(tmp_path / "dfl")
    old = _set_of(tmp_path / "dfl")
    own = tmp_path / "other"
    _export_again(dfl_target(tmp_path / "sample", "new", "saehd"), own)
    new = _set_of(tmp_path / "sample")
    seen: set[str] = set()
    for step in range(1, 400):
        folder = tmp_path / f"run{step}"
        shutil.copytree(tmp_path / "dfl", folder)
        target = dfl_target(folder, "new", "saehd")
        finished = _run_and_die(functools.partial(_export_again, target, own), folder, step)

        now = _set_of(folder)
        aside = [_set_of(place) for place in folder.glob("new_SAEHD_replaced_*")]
        if "new_SAEHD_data.dat" in now:
            assert now in (old, new)
            seen.add("old" if now == old else "new")
        else:
            seen.add("none")
        assert now == old or aside == [old]
        if finished:
            break
        # The next export finishes what this one began.
        again = _export_again(target, own)
        assert _set_of(folder) == new
        assert any(_set_of(place) == old for place in folder.glob("new_SAEHD_replaced_*"))
        assert not [path for path in folder.iterdir() if path.name.startswith(".")]
        assert again.files
        shutil.rmtree(folder)
    assert finished
    assert seen == {"old", "none", "new"}


_CHANGES = {"os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir"}


def _run_and_die(work: Callable[[], object], folder: Path, step: int) -> bool:
    """Run in a child that dies before its `step`-th change below `folder`; True if it did not."""
    child = os.fork()
    if child == 0:
        count = [0]

        def watch(event: str, arguments: tuple) -> None:
            if event in _CHANGES and str(folder) in str(arguments[0]):
                count[0] += 1
                if count[0] == step:
                    os._exit(9)

        sys.addaudithook(watch)
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


# Several optimizers in one file.


def test_the_states_of_several_optimizers_come_apart_again():
    states = {
        name: {"iters:0": np.asarray(n, np.int64), f"ms_{name}/bias_0:0": np.full(2, n)}
        for n, name in enumerate(["src_dst_opt", "D_code_opt", "GAN_opt"])
    }
    joined = join_states(states)
    assert split_states(joined, list(states)) == states
    without = split_states(joined, ["src_dst_opt"])
    assert set(without) == {"src_dst_opt"}
    assert set(without["src_dst_opt"]) == {"iters:0", "ms_src_dst_opt/bias_0:0"}


def test_an_origin_that_is_unreadable_is_none(tmp_path: Path):
    from dflcolab.exporting.dfl_origin import FILE_NAME, read_origin, write_origin

    assert read_origin(tmp_path) is None
    origin = Origin("new_SAEHD", {"a": 1}, {"b": None})
    write_origin(tmp_path, origin)
    assert read_origin(tmp_path) == origin
    (tmp_path / FILE_NAME).write_text("[1")
    assert read_origin(tmp_path) is None
