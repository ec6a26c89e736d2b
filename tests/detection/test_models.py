import hashlib
import re

import pytest

from dflcolab.detection import models
from dflcolab.detection.litert import LiteModel
from dflcolab.errors import FormatError
from tests.material import DEMO, ROOT

THIRD_PARTY = ROOT / "dflcolab" / "assets" / "THIRD_PARTY.md"
FOLDERS = (ROOT / "dflcolab" / "assets" / "models", DEMO)


def listed_hashes() -> dict[str, tuple[int, str]]:
    rows = re.findall(
        r"^\| `([^`]+)` \|.*\| (\d+) \| `([0-9a-f]{64})` \|$", THIRD_PARTY.read_text(), re.MULTILINE
    )
    return {name: (int(size), digest) for name, size, digest in rows}


def test_every_bundled_binary_has_its_origin_and_hash_written_down():
    present = {
        path.name: (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
        for folder in FOLDERS
        for path in folder.iterdir()
        if path.suffix in (".onnx", ".tflite", ".mp4")
    }

    assert present == listed_hashes()


def test_the_models_are_the_ones_that_were_measured():
    for name, digest in models.SHA256.items():
        assert hashlib.sha256(models.model_bytes(name)).hexdigest() == digest


@pytest.mark.bad_day("bundled-model-damaged")
def test_a_damaged_model_is_named_with_a_remedy(monkeypatch):
    models.model_bytes.cache_clear()
    monkeypatch.setitem(models.SHA256, models.YUNET, "0" * 64)

    with pytest.raises(FormatError, match=r"yunet.*damaged.*install dflcolab again"):
        models.model_bytes(models.YUNET)

    models.model_bytes.cache_clear()


@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_tensorflow_serves_where_litert_is_missing(monkeypatch):
    import sys

    import numpy as np

    batch = np.random.default_rng(1).random((1, 256, 256, 3), dtype=np.float32)
    expected = LiteModel(models.LANDMARKS)(batch)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)

    outputs = LiteModel(models.LANDMARKS)(batch)

    # Both run XNNPACK; versions may differ in the order of sums: 0.05 of 256 input pixels.
    np.testing.assert_allclose(outputs[0], expected[0], atol=0.05)
