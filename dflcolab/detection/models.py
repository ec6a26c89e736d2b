"""The model files that come with the package, found by name and checked by hash.

Origin, licence and hash of each file are written down in `assets/THIRD_PARTY.md`; a test compares
the hashes, so a damaged or exchanged file cannot go unnoticed into a release.
"""

from __future__ import annotations

import functools
import hashlib
from importlib import resources

from dflcolab.errors import FormatError

YUNET = "face_detection_yunet_2023mar.onnx"
BLAZEFACE = "face_detection_back.tflite"
LANDMARKS = "face_landmarks_detector_256.tflite"
EMBEDDING = "faceres_dr8_dw32.tflite"

SHA256 = {
    YUNET: "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    BLAZEFACE: "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8",
    LANDMARKS: "c7d54204ce0448474c7f3fa9af494787c0965cbdd6f20fc72867e43046bd43d5",
    EMBEDDING: "d54ed64e1e2b6b90c78c11139ab75f01f604fff19827ee90ba31a2fe5bf848fe",
}
"""Expected SHA-256 of each bundled file."""


@functools.cache
def model_bytes(name: str) -> bytes:
    """Content of a bundled model file, read once per process and verified.

    Args:
        name: One of the names of this module.

    Raises:
        FormatError: The installed file is missing or is not the one that was shipped.
    """
    resource = resources.files("dflcolab") / "assets" / "models" / name
    remedy = "install dflcolab again (pip install --force-reinstall --no-deps dflcolab)"
    try:
        content = resource.read_bytes()
    except OSError as error:
        raise FormatError(f"The bundled model {name} cannot be read; {remedy}.") from error
    if hashlib.sha256(content).hexdigest() != SHA256[name]:
        raise FormatError(f"The bundled model {name} is damaged; {remedy}.")
    return content
