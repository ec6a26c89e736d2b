# pyright: strict
"""The kinds of models, by the names of `--arch`: their options and DeepFaceLab's name for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from dflcolab.errors import ModelError
from dflcolab.models.amp.options import AmpOptions, amp_options
from dflcolab.models.quick96 import Quick96Options, quick96_options
from dflcolab.models.saehd.options import SaehdOptions, saehd_options
from dflcolab.models.xseg.options import XSegOptions, xseg_options

SwapModelOptions: TypeAlias = SaehdOptions | Quick96Options | AmpOptions
"""Options of the models that swap faces."""

ModelOptions: TypeAlias = SwapModelOptions | XSegOptions
"""Options of any model."""


class _Builder(Protocol):
    def __call__(self, values: Mapping[str, object], *, source: str = "") -> ModelOptions: ...


@dataclass(frozen=True)
class Kind:
    """One kind of model.

    Attributes:
        arch: Name on the command line and in checkpoints.
        dfl_class: Name in DeepFaceLab's file names.
        options: Builds its options from plain values or text.
    """

    arch: str
    dfl_class: str
    options: _Builder


KINDS: Mapping[str, Kind] = {
    "saehd": Kind("saehd", "SAEHD", saehd_options),
    "quick96": Kind("quick96", "Quick96", quick96_options),
    "amp": Kind("amp", "AMP", amp_options),
    "xseg": Kind("xseg", "XSeg", xseg_options),
}

STALE = ("eyes_prio", "random_flip")
"""Names that old files of DeepFaceLab may hold and that it ignores itself."""


def options_of(arch: str, values: Mapping[str, object], *, source: str = "") -> ModelOptions:
    """The options of a kind of model from plain values or text, as checkpoints hold them.

    Raises:
        ModelError: The kind is not known.
        ConfigError: Unknown name, wrong type, out of range.
    """
    if arch not in KINDS:
        raise ModelError(
            f"{source or 'The model'} is of the unknown kind {arch!r}; it was written by a newer "
            "dflcolab: upgrade this one."
        )
    return KINDS[arch].options(values, source=source)


def swap_options_of(
    arch: str, values: Mapping[str, object], *, source: str = ""
) -> SwapModelOptions:
    """`options_of` for a model that swaps faces.

    Raises:
        ModelError: The model is an XSeg network, or of an unknown kind.
        ConfigError: Unknown name, wrong type, out of range.
    """
    options = options_of(arch, values, source=source)
    if isinstance(options, XSegOptions):
        raise ModelError(
            f"{source or 'The model'} is an XSeg network, which makes masks and swaps no faces; "
            "choose another model."
        )
    return options


def options_from_dfl(
    dfl_class: str, values: Mapping[str, object], *, source: str = ""
) -> ModelOptions:
    """Build the options from the `options` of DFL's `data.dat`.

    Raises:
        ModelError: DeepFaceLab has no such kind of model.
        ConfigError: A value does not fit.
    """
    by_class = {kind.dfl_class: kind for kind in KINDS.values()}
    if dfl_class not in by_class:
        raise ModelError(
            f"{source or 'The model'} is of the unknown kind {dfl_class!r}; known are "
            f"{', '.join(by_class)}."
        )
    known = {
        name: value for name, value in values.items() if name not in STALE and value is not None
    }
    return by_class[dfl_class].options(known, source=source)
