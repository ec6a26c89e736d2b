# pyright: strict
"""Options between DeepFaceLab's `data.dat` and ours, both ways, without losing what is unknown."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

from dflcolab.config import describe
from dflcolab.errors import ConfigError
from dflcolab.faces.face_type import FaceType
from dflcolab.models.kinds import KINDS, ModelOptions
from dflcolab.models.options import SwapOptions

_COMMON = (
    "autobackup_hour", "write_preview_history", "target_iter", "random_src_flip",
    "random_dst_flip", "batch_size", "gan_power", "gan_patch_size", "gan_dims",
)  # fmt: skip

STORED_KEYS: Mapping[str, tuple[str, ...]] = {
    "saehd": (
        "resolution", "face_type", "models_opt_on_gpu", "archi", "ae_dims", "e_dims", "d_dims",
        "d_mask_dims", "masked_training", "eyes_mouth_prio", "uniform_yaw", "blur_out_mask",
        "adabelief", "lr_dropout", "random_warp", "random_hsv_power", "true_face_power",
        "face_style_power", "bg_style_power", "ct_mode", "clipgrad", "pretrain", *_COMMON,
    ),
    "amp": (
        "resolution", "face_type", "models_opt_on_gpu", "ae_dims", "inter_dims", "e_dims",
        "d_dims", "d_mask_dims", "morph_factor", "uniform_yaw", "blur_out_mask", "lr_dropout",
        "random_warp", "ct_mode", "clipgrad", *_COMMON,
    ),
    "quick96": ("batch_size",),
    "xseg": ("face_type", "pretrain", "batch_size"),
}  # fmt: skip
"""The options that DeepFaceLab stores for each kind of model, in its order."""

_FOR_RUNS_ONLY = (
    "target_iter", "autobackup_hour", "write_preview_history", "models_opt_on_gpu",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class FromDfl:
    """Options as they are here.

    Attributes:
        options: Of the model's kind.
        notes: A sentence for each stored value that cannot be used as it is.
    """

    options: ModelOptions
    notes: tuple[str, ...]


def options_from_dfl(arch: str, stored: Mapping[str, Any], *, source: str = "") -> FromDfl:
    """Our options for those of a `data.dat`.

    Args:
        arch: `saehd`, `amp`, `quick96` or `xseg`.
        stored: Plain values as DeepFaceLab stored them; a None counts as absent, and names that we
            do not know are ignored.
        source: Name of the file for errors.

    Raises:
        ConfigError: An option that shapes the weights has a value that cannot be.
    """
    build = KINDS[arch].options
    defaults = build({})
    names = {info.name for info in describe(type(defaults))}
    known = {name: value for name, value in stored.items() if name in names and value is not None}
    try:
        return FromDfl(build(known, source=source), ())
    except ConfigError:
        pass
    # DeepFaceLab takes stored values as they are; one that we refuse must not lose the model.
    structural = defaults.structure_names
    kept = {name: value for name, value in known.items() if name in structural}
    build(kept, source=source)
    notes: list[str] = []
    for name, value in known.items():
        if name in structural:
            continue
        try:
            build({**kept, name: value}, source=source)
            kept[name] = value
        except ConfigError:
            notes.append(f"{name} = {value} cannot be used here; its default takes its place.")
    return FromDfl(build(kept, source=source), tuple(notes))


def options_to_dfl(options: ModelOptions, stored: Mapping[str, Any]) -> dict[str, Any]:
    """What DeepFaceLab shall find in `data.dat`.

    Values that nobody has changed here keep the form they were stored in.

    Args:
        options: Ours.
        stored: What the model's own `data.dat` held when it came from DeepFaceLab; {} otherwise.
    """
    arch = options.arch
    before = options_from_dfl(arch, stored).options if stored else None
    found = dict(stored)
    for name in STORED_KEYS[arch]:
        value = getattr(options, name)
        if name in stored and before is not None and getattr(before, name) == value:
            continue
        found[name] = _dfl_value(options, value)
    return found


def unknown_to_dfl(options: ModelOptions) -> dict[str, Any]:
    """Options that DeepFaceLab does not have and that are not at their default."""
    fixed = {*STORED_KEYS[options.arch], *_FOR_RUNS_ONLY}
    return {
        info.name: getattr(options, info.name)
        for info in describe(type(options))
        if info.name not in fixed and getattr(options, info.name) != info.default
    }


def _dfl_value(options: ModelOptions, value: Any) -> Any:
    if isinstance(value, FaceType):
        return value.letter
    if isinstance(value, enum.Enum):
        return value.value
    if value is None and isinstance(options, SwapOptions):  # gan_patch_size, where it is open
        return options.gan_patch
    return value
