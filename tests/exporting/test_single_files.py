"""DFM, ONNX and Keras files give the numbers of the networks that training runs."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

import dflcolab.formats.onnx_file
from dflcolab.errors import ModelError
from dflcolab.exporting.single_file import write_single_file
from dflcolab.models.build import swap_model
from dflcolab.models.kinds import ModelOptions
from dflcolab.models.layers import Weights
from dflcolab.models.xseg.network import XSeg
from tests.exporting.models import small_checkpoint, small_options, small_weights, some_faces
from tests.parity.model_vectors import difference

SWAPS = ["df", "df-ud", "liae-ud", "liae-udtc", "gan", "amp", "quick96"]
# Both compute in float32, with sums in another order: measured below 2e-6 for all of these.
CLOSE = 1e-5
XSEG_CLOSE = 1e-4  # 40 norms in a row amplify that; README of the vectors; measured 4e-5
DFM_OUTPUTS = ["out_face_mask:0", "out_celeb_face:0", "out_celeb_face_mask:0"]


def _export(tmp_path: Path, options: ModelOptions, kind: str, **provenance: str) -> Path:
    checkpoint = small_checkpoint(tmp_path / "m", options)
    return write_single_file(
        tmp_path / "out", kind, "new", checkpoint, options, provenance=provenance
    )


def _expected(options: ModelOptions, faces: np.ndarray, morph: float = 1.0) -> list[np.ndarray]:
    """Mask of dst, swap, its mask; of XSeg the mask alone; from the networks themselves."""
    weights = Weights({name: tf.constant(value) for name, value in small_weights(options).items()})
    if options.arch == "xseg":
        return [tf.sigmoid(XSeg(options.base)(weights, faces)).numpy()]
    paint = swap_model(options).swap_and_dst
    if options.arch == "amp":
        paint = functools.partial(paint, morph=morph)
    swap, dst = paint(weights, tf.constant(faces))
    return [dst.mask.numpy(), swap.picture.numpy(), swap.mask.numpy()]


def _session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("name", SWAPS)
def test_a_dfm_swaps_as_the_model_does(tmp_path: Path, name: str):
    options = small_options(name)
    faces = some_faces(3, options.resolution)
    feed = {"in_face:0": faces}
    if name == "amp":
        feed["morph_value:0"] = np.array([0.5], np.float32)

    outputs = _session(_export(tmp_path, options, "dfm")).run(None, feed)

    for ours, wanted in zip(outputs, _expected(options, faces, 0.5), strict=True):
        assert difference(ours, wanted) < CLOSE


@pytest.mark.parametrize("name", ["df-ud", "amp"])
def test_a_dfm_has_the_names_shapes_and_order_that_players_expect(tmp_path: Path, name: str):
    options = small_options(name)
    path = _export(tmp_path, options, "dfm")
    session = _session(path)
    assert path.name == f"new_{'AMP' if name == 'amp' else 'SAEHD'}_model.dfm"
    inputs = {value.name: value.shape for value in session.get_inputs()}
    assert inputs.pop("in_face:0") == ["batch", 64, 64, 3]
    assert inputs == ({"morph_value:0": [1]} if name == "amp" else {})
    outputs = [(value.name, value.shape) for value in session.get_outputs()]
    assert outputs == list(zip(DFM_OUTPUTS, [["batch", 64, 64, n] for n in (1, 3, 1)], strict=True))


@pytest.mark.parametrize("morph", [0.0, 0.29, 0.3, 1.0])
@pytest.mark.parametrize("kind", ["dfm", "keras"])
def test_a_morph_takes_whole_channels(tmp_path: Path, morph: float, kind: str):
    options = small_options("amp_gan")  # 10 channels: 0.29 and 0.3 are on both sides of a step
    faces = some_faces(2, options.resolution)
    path = _export(tmp_path, options, kind)
    if kind == "keras":
        values = np.full((2, 1), morph, np.float32)
        outputs = _load_keras(path)({"in_face": faces, "morph_value": values})
        found = [outputs[name.removesuffix(":0")].numpy() for name in DFM_OUTPUTS]
    else:
        feed = {"in_face:0": faces, "morph_value:0": np.array([morph], np.float32)}
        found = _session(path).run(None, feed)
    for ours, wanted in zip(found, _expected(options, faces, morph), strict=True):
        assert difference(ours, wanted) < CLOSE


def test_xseg_as_onnx_masks_as_the_network_does(tmp_path: Path):
    options = small_options("xseg")
    faces = some_faces(2, 256)
    session = _session(_export(tmp_path, options, "onnx"))
    assert [(v.name, v.shape) for v in session.get_outputs()] == [
        ("out_mask:0", ["batch", 256, 256, 1])
    ]
    (mask,) = session.run(None, {"in_face:0": faces})
    assert difference(mask, _expected(options, faces)[0]) < XSEG_CLOSE


def test_an_xseg_network_is_no_dfm(tmp_path: Path):
    with pytest.raises(ModelError, match="--format onnx"):
        _export(tmp_path, small_options("xseg"), "dfm")


def test_an_onnx_file_says_where_it_comes_from(tmp_path: Path):
    path = _export(tmp_path, small_options("df-ud"), "onnx", iteration="7", note="sünthetic")
    meta = _session(path).get_modelmeta()
    assert meta.custom_metadata_map == {"iteration": "7", "note": "sünthetic"}
    assert meta.producer_name == "dflcolab"


def test_a_file_over_two_gigabytes_is_refused_before_it_is_written(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(dflcolab.formats.onnx_file, "LARGEST", 1000)
    with pytest.raises(ModelError, match="ONNX files end at 2 GB"):
        _export(tmp_path, small_options("df"), "onnx")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_export_goes_where_the_file_name_says(tmp_path: Path):
    options = small_options("df")
    checkpoint = small_checkpoint(tmp_path / "m", options)
    wanted = tmp_path / "deep" / "Face.DFM"
    path = write_single_file(wanted, "dfm", "new", checkpoint, options, provenance={})
    assert path == wanted
    assert wanted.stat().st_size > 10_000


@pytest.mark.parametrize("name", ["df", "liae-udtc", "xseg"])
def test_a_keras_file_gives_the_numbers_of_the_model(tmp_path: Path, name: str):
    options = small_options(name)
    faces = some_faces(2, options.resolution)
    outputs = _load_keras(_export(tmp_path, options, "keras"))(faces)
    found = [outputs[key].numpy() for key in _keras_names(name)]
    for ours, wanted in zip(found, _expected(options, faces), strict=True):
        assert difference(ours, wanted) < (XSEG_CLOSE if name == "xseg" else CLOSE)


_ALONE = """
import sys
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] == 'dflcolab':
            raise ImportError('the file must load without dflcolab')
sys.meta_path.insert(0, Refused())
import keras, numpy
model = keras.models.load_model(sys.argv[1])
outputs = model.predict(numpy.load(sys.argv[2]), verbose=0)
numpy.savez(sys.argv[3], **outputs)
"""


def test_a_keras_file_loads_without_this_package(tmp_path: Path):
    options = small_options("liae-ud")
    path = _export(tmp_path, options, "keras", iteration="7")
    faces = some_faces(2, 64)
    np.save(tmp_path / "faces.npy", faces)
    subprocess.run(
        [sys.executable, "-c", _ALONE, path, tmp_path / "faces.npy", tmp_path / "out.npz"],
        check=True,
        cwd=tmp_path,
    )
    outputs = np.load(tmp_path / "out.npz")
    for key, wanted in zip(_keras_names("liae-ud"), _expected(options, faces), strict=True):
        assert difference(outputs[key], wanted) < CLOSE
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("dflcolab.json")) == {"iteration": "7"}


def test_keras_files_name_nothing_that_old_versions_lack(tmp_path: Path):
    """Keras 3.5 to 3.15 were tried by hand; these two words broke the older ones."""
    with zipfile.ZipFile(_export(tmp_path, small_options("amp"), "keras")) as archive:
        text = archive.read("config.json").decode()
    assert "quantization_config" not in text
    assert "GlorotUniform" not in text
    assert "keras.src.ops" not in text


def _keras_names(name: str) -> list[str]:
    return ["out_mask"] if name == "xseg" else [n.removesuffix(":0") for n in DFM_OUTPUTS]


def _load_keras(path: Path):
    return tf.keras.models.load_model(path)
