"""A model in one file for other programs: DFM, ONNX or Keras."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import dflcolab
from dflcolab.arrays import Array
from dflcolab.engine.checkpoint import Checkpoint
from dflcolab.errors import ModelError
from dflcolab.exporting.dfl_folder import dfl_target
from dflcolab.files import storage_errors
from dflcolab.formats.onnx_file import write_onnx
from dflcolab.models.build import groups_of
from dflcolab.models.kinds import ModelOptions
from dflcolab.models.weight_map import checked_weights
from dflcolab.models.xseg.options import XSegOptions

SingleFormat = Literal["dfm", "onnx", "keras"]


def write_single_file(
    out: Path,
    kind: SingleFormat,
    name: str,
    checkpoint: Checkpoint,
    options: ModelOptions,
    *,
    provenance: Mapping[str, str],
) -> Path:
    """Write the networks that swapping (or masking) needs.

    Args:
        out: Folder, made if missing, or the file's own name with the ending of the format.
        kind: The format.
        name: Of the model.
        checkpoint: A verified one.
        options: Its options.
        provenance: Texts that go into the file.

    Returns:
        The file: `<name>_<CLASS>_model.dfm`, as DeepFaceLab calls its exports.

    Raises:
        ModelError: The format cannot hold this model.
        StorageError: Disk full, read-only or gone.
    """
    if kind == "dfm" and isinstance(options, XSegOptions):
        raise ModelError(
            f"{name} is an XSeg network, and .dfm files hold models that swap faces; use "
            "--format onnx."
        )
    path = out
    if out.suffix.lower() != f".{kind}":
        path = out / f"{dfl_target(out, name, options.arch).id}_model.{kind}"
    weights = _weights(checkpoint, options)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "keras":
        # Only here: it loads Keras.
        from dflcolab.exporting.keras_models import keras_model, write_keras

        write_keras(path, keras_model(options, weights, name=_plain(name)), provenance)
    else:
        from dflcolab.exporting.onnx_models import onnx_model

        graph = onnx_model(
            options,
            weights,
            name=name,
            producer=("dflcolab", dflcolab.__version__),
            metadata=dict(provenance),
        )
        write_onnx(path, graph)
    return path


def _weights(checkpoint: Checkpoint, options: ModelOptions) -> dict[str, Array]:
    generator = groups_of(options)[0]
    return checked_weights(generator.shapes(), checkpoint.weights(), source=str(checkpoint.folder))


def _plain(name: str) -> str:
    """A name that Keras takes: letters, digits and `_`."""
    return "".join(sign if sign.isascii() and sign.isalnum() else "_" for sign in name) or "model"
