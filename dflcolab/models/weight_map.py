"""Weights in and out of a model, by DFL's names, strictly: nothing missing is made up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dflcolab.arrays import Array
from dflcolab.errors import ModelError
from dflcolab.formats.leras_weights import read_weights, write_weights
from dflcolab.models.layers import Part, Shapes, shapes_of


def checked_weights(
    shapes: Shapes, weights: Mapping[str, Array], *, source: str
) -> dict[str, Array]:
    """The wanted weights in the wanted order, as float32.

    Args:
        shapes: Names and shapes that are needed.
        weights: Full name to array; other names are ignored. Arrays with the right number of values
            in another shape are reshaped, as DFL does.
        source: What to name in errors.

    Raises:
        ModelError: A weight is missing or has another number of values.
    """
    found: dict[str, Array] = {}
    for name, shape in shapes.items():
        if name not in weights:
            raise ModelError(f"{source} lacks the weight {name}; it does not fit this model.")
        value = np.asarray(weights[name])
        if value.size != int(np.prod(shape)):
            raise ModelError(
                f"{source}: the weight {name} has shape {list(value.shape)} instead of "
                f"{list(shape)}; it does not fit this model."
            )
        found[name] = np.ascontiguousarray(value.reshape(shape), np.float32)
    return found


def read_dfl_weights(
    networks: Mapping[str, Part], folder: Path, *, prefix: str = ""
) -> dict[str, Array]:
    """Read DFL's weight files `<prefix><network>.npy`.

    Args:
        networks: Parts to read, by DFL's file names (`model.networks`, `group.networks`).
        folder: Folder with the files.
        prefix: Text before the network's name (`new_SAEHD_`).

    Returns:
        Full variable name to float32 array.

    Raises:
        ModelError: A file is missing or does not fit.
        FormatError: A file is damaged or not what its name says.
    """
    weights: dict[str, Array] = {}
    for file, part in networks.items():
        path = folder / f"{prefix}{file}.npy"
        if not path.is_file():
            raise ModelError(f"{path} is missing; copy all files of the DeepFaceLab model there.")
        weights |= {f"{part.name}/{key}": value for key, value in read_weights(path).items()}
    return checked_weights(shapes_of(networks.values()), weights, source=str(folder))


def write_dfl_weights(
    networks: Mapping[str, Part], weights: Mapping[str, Array], folder: Path, *, prefix: str = ""
) -> list[Path]:
    """Write DFL's weight files of some networks; the way back of `read_dfl_weights`."""
    written: list[Path] = []
    for file, part in networks.items():
        content = {name.removeprefix(f"{part.name}/"): weights[name] for name in part.shapes()}
        path = folder / f"{prefix}{file}.npy"
        write_weights(path, content)
        written.append(path)
    return written
