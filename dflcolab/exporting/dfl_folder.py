# pyright: strict
"""Which DeepFaceLab models lie in a folder, and what their files are called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dflcolab.errors import ModelError
from dflcolab.models.kinds import KINDS

REPLACED = "_replaced_"
"""Part of the names of folders into which an export moves an older set of files."""

_DATA = re.compile(r"(?:(.+)_(SAEHD|AMP|Quick96)|(XSeg))_data\.dat")


@dataclass(frozen=True)
class DflModel:
    """One model in a folder of DeepFaceLab.

    Attributes:
        folder: Where its files lie, flat, beside those of other models.
        name: What the user called it; empty for XSeg, of which a folder holds one.
        dfl_class: `SAEHD`, `AMP`, `Quick96` or `XSeg`.
    """

    folder: Path
    name: str
    dfl_class: str

    @property
    def arch(self) -> str:
        """Kind of model in our words."""
        return next(kind.arch for kind in KINDS.values() if kind.dfl_class == self.dfl_class)

    @property
    def id(self) -> str:
        """What all its files start with."""
        return f"{self.name}_{self.dfl_class}" if self.dfl_class != "XSeg" else "XSeg"

    @property
    def own_name(self) -> str:
        """What it is called here where the user says nothing."""
        return self.name or "xseg"

    @property
    def data_path(self) -> Path:
        """Iteration, options, losses."""
        return self.folder / f"{self.id}_data.dat"

    @property
    def summary_path(self) -> Path:
        """A text for people."""
        return self.folder / f"{self.id}_summary.txt"

    def part_path(self, part: str) -> Path:
        """Weights of a network (`encoder`) or state of an optimizer (`src_dst_opt`)."""
        return self.folder / f"{self.prefix}{part}.npy"

    @property
    def prefix(self) -> str:
        """What stands before the names of networks; those of XSeg are whole as they are."""
        return "" if self.dfl_class == "XSeg" else f"{self.id}_"


def dfl_models(folder: Path) -> list[DflModel]:
    """The models of a folder, and of the folders directly in it, by id."""
    if not folder.is_dir():
        return []
    inner = [path for path in folder.iterdir() if path.is_dir() and REPLACED not in path.name]
    return [
        model
        for place in [folder, *sorted(inner)]
        for path in sorted(place.iterdir())
        if (model := _model_of(path)) is not None
    ]


def choose_dfl_model(folder: Path, wanted: str | None) -> DflModel:
    """The one model of a folder, or the one that the user names.

    Args:
        folder: Where to look; also one level below.
        wanted: Name or id (`new` or `new_SAEHD`), in any case; None: there must be one only.

    Raises:
        ModelError: There is none, none of that name, or more than one fits.
    """
    if not folder.is_dir():
        raise ModelError(f"There is no folder {folder}; say with --from where the model files are.")
    models = dfl_models(folder)
    if not models:
        raise ModelError(
            f"{folder} holds no DeepFaceLab model (no NAME_SAEHD_data.dat or the like); say with "
            "--from where its files are."
        )
    fitting = models
    if wanted is not None:
        fitting = [m for m in models if wanted.lower() in (m.id.lower(), m.own_name.lower())]
    if not fitting:
        raise ModelError(f"{folder} holds no model {wanted!r}; there are {_list(models)}.")
    if len(fitting) > 1:
        places = {model.folder for model in fitting}
        if len({model.id for model in fitting}) < len(fitting) and len(places) > 1:
            where = ", ".join(str(model.folder) for model in fitting)
            raise ModelError(
                f"More than one folder holds that model ({where}); give one as --from."
            )
        raise ModelError(f"{folder} holds {_list(fitting)}; say which with --model ID.")
    return fitting[0]


def dfl_target(folder: Path, name: str, arch: str) -> DflModel:
    """The files that an export of a model writes.

    DeepFaceLab takes the text before the first `_` as a model's name and cannot find others, so `_`
    in the name becomes `-`.
    """
    kind = KINDS[arch]
    return DflModel(
        folder, "" if kind.dfl_class == "XSeg" else name.replace("_", "-"), kind.dfl_class
    )


def _list(models: Sequence[DflModel]) -> str:
    return ", ".join(sorted({model.id for model in models}))


def _model_of(path: Path) -> DflModel | None:
    match = _DATA.fullmatch(path.name)
    if match is None or path.name.startswith(".") or not path.is_file():
        return None
    return DflModel(path.parent, match[1] or "", match[2] or "XSeg")
