"""Whole models as `.keras` files that load with `keras.models.load_model` alone."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dflcolab.arrays import Array
from dflcolab.backend import tf
from dflcolab.exporting.drawing import Artist
from dflcolab.exporting.keras_canvas import KerasCanvas
from dflcolab.files import replacing
from dflcolab.models.build import swap_model
from dflcolab.models.kinds import ModelOptions
from dflcolab.models.xseg.network import XSeg
from dflcolab.models.xseg.options import XSegOptions

keras: Any = tf.keras  # Keras 3, loaded as quietly as TensorFlow

PROVENANCE = "dflcolab.json"
"""Entry of the `.keras` archive with the texts about the model; Keras does not look at it."""
_CONFIG = "config.json"
_NEW_WORDS = ("quantization_config",)


def keras_model(options: ModelOptions, weights: Mapping[str, Array], *, name: str) -> Any:
    """A functional model from layers of Keras' own.

    Inputs: `in_face` `[B, R, R, 3]`, BGR in 0..1, and for AMP `morph_value` `[B, 1]`. Outputs by
    name: `out_face_mask`, `out_celeb_face`, `out_celeb_face_mask`; of XSeg `out_mask`.

    Args:
        options: Say which kind and size.
        weights: Full variable name to float32 array.
        name: Of the model.
    """
    canvas = KerasCanvas()
    artist = Artist(canvas, weights)
    size = options.resolution
    face = keras.Input((size, size, 3), name="in_face")
    inputs: Any = face
    if isinstance(options, XSegOptions):
        outputs = {"out_mask": artist.xseg_mask(XSeg(options.base), face)}
    else:
        morph = None
        if options.arch == "amp":
            morph = keras.Input((1,), name="morph_value")
            inputs = {"in_face": face, "morph_value": morph}
        drawn = artist.swap_and_dst_mask(swap_model(options), face, morph)
        outputs = {
            "out_face_mask": drawn.dst_mask,
            "out_celeb_face": drawn.swap,
            "out_celeb_face_mask": drawn.swap_mask,
        }
    model = keras.Model(inputs, outputs, name=name)
    canvas.fill()
    return model


def write_keras(path: Path, model: Any, provenance: Mapping[str, str]) -> None:
    """Save the model with the texts about it beside Keras' own entries; atomic.

    Raises:
        StorageError: Disk full, read-only or gone.
    """
    with replacing(path) as temporary:
        as_saved = temporary.with_name(f"{temporary.stem}.saved.keras")
        try:
            model.save(as_saved)
            with zipfile.ZipFile(as_saved) as source, zipfile.ZipFile(temporary, "w") as archive:
                for entry in source.namelist():
                    with (
                        source.open(entry) as reader,
                        archive.open(entry, "w", force_zip64=True) as writer,
                    ):
                        if entry == _CONFIG:
                            content = _without_new_words(json.load(reader))
                            writer.write(json.dumps(content).encode())
                        else:
                            shutil.copyfileobj(reader, writer)
                archive.writestr(PROVENANCE, json.dumps(dict(provenance), indent=1))
        finally:
            as_saved.unlink(missing_ok=True)


def _without_new_words(value: Any) -> Any:
    """Keras' description of a model without settings that are off and that older ones refuse."""
    if isinstance(value, dict):
        return {
            key: _without_new_words(item)
            for key, item in value.items()
            if not (key in _NEW_WORDS and item is None)
        }
    if isinstance(value, list):
        return [_without_new_words(item) for item in value]
    return value
