"""A trained XSeg network as `mask apply` and merging use it: faces in, masks out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Array, Image, Mask, Transform
from dflcolab.backend import tf
from dflcolab.engine.checkpoint import WEIGHTS
from dflcolab.engine.checkpoint_choice import CheckpointChoice
from dflcolab.engine.chosen_checkpoint import chosen_checkpoint
from dflcolab.engine.precision import prepare_device
from dflcolab.errors import ModelError
from dflcolab.faces.conversion import between_crops, conversion_matrix
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faces.face_type import FaceType
from dflcolab.models.layers import Weights
from dflcolab.models.weight_map import checked_weights
from dflcolab.models.xseg.network import RESOLUTION, XSeg
from dflcolab.models.xseg.options import XSegOptions, xseg_options

_FLOOR = 0.1
"""Weaker predictions count as nothing, as in DeepFaceLab."""


class MaskPredictor:
    """Masks faces, in float32.

    Args:
        options: Of the network.
        weights: Full variable name to float32 array.
        iteration: How long it was trained, for reports.
        identity: Text that differs between any two sets of weights.

    Attributes:
        face_type: Extent of the crop it takes.
        iteration: Finished iterations.
        identity: Tells whether masks were made with the same weights.
    """

    def __init__(
        self,
        options: XSegOptions,
        weights: Mapping[str, Array],
        *,
        iteration: int = 0,
        identity: str = "",
    ) -> None:
        self.face_type = options.face_type
        self.iteration = iteration
        self.identity = identity
        network = XSeg(options.base)
        constants = Weights({name: tf.constant(value) for name, value in weights.items()})

        def run(faces: Any) -> Any:
            return tf.sigmoid(network(constants, faces))

        shape = [None, RESOLUTION, RESOLUTION, 3]
        self._run = tf.function(
            run, input_signature=[tf.TensorSpec(shape, tf.float32)], autograph=False
        )

    def predict(self, faces: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Masks of a batch of faces.

        Args:
            faces: `[B, 256, 256, 3]` BGR in 0..1, of the network's face type.

        Returns:
            `[B, 256, 256, 1]` float32 in 0..1; values below 0.1 are 0.
        """
        masks = self._run(tf.constant(faces, tf.float32)).numpy()
        return np.where(masks < _FLOOR, np.float32(0), masks)


def load_mask_predictor(
    model_dir: Path,
    *,
    checkpoint: CheckpointChoice = "latest",
    on_problem: Callable[[str], None] | None = None,
) -> MaskPredictor:
    """The predictor of one of a network's checkpoints.

    Args:
        model_dir: `model/<name>` of a workspace.
        checkpoint: Which one; `latest` is the latest whole one.
        on_problem: Gets a sentence for each broken checkpoint that was passed over.

    Raises:
        ModelError: There is no such model, or it swaps faces, or has only been pretrained.
        CheckpointError: That checkpoint is not there or not whole, or it does not fit its own options.
    """
    prepare_device()
    found = chosen_checkpoint(model_dir, checkpoint, on_problem=on_problem)
    if found is None:
        raise ModelError(
            f"There is no XSeg model {model_dir.name!r} in {model_dir.parent}; train one with "
            "`dflcolab mask train`, or bring a trained one with --from."
        )
    state = found.state()
    if state["architecture"] != "xseg":
        raise ModelError(
            f"{model_dir.name} is a {state['architecture']} model, which makes no XSeg masks; name an "
            "XSeg model with --model."
        )
    if state["pretraining"]:
        raise ModelError(
            f"{model_dir.name} was only pretrained and knows no masks yet; label faces and run "
            "`dflcolab mask train`."
        )
    source = str(found.folder)
    options = xseg_options(state["options"], source=source)
    weights = checked_weights(XSeg(options.base).shapes(), found.weights(), source=source)
    return MaskPredictor(
        options,
        weights,
        iteration=found.iteration,
        identity=found.parts[WEIGHTS][1],
    )


def network_input(picture: Image, record: FaceRecord, face_type: FaceType) -> Image:
    """A face as the network takes it, `[256, 256, 3]` uint8.

    Of another type, it is first cut out at its own size, bilinearly and with black around, as
    DeepFaceLab does; then shrunk by Lanczos4.
    """
    width = picture.shape[1]
    if record.assumed_face_type is not face_type:
        matrix = _between(record, width, face_type, width)
        picture = cv2.warpAffine(picture, matrix, (width, width), flags=cv2.INTER_LINEAR)  # pyright: ignore[reportAssignmentType]
    if picture.shape[:2] != (RESOLUTION, RESOLUTION):
        side = (RESOLUTION, RESOLUTION)
        picture = cv2.resize(picture, side, interpolation=cv2.INTER_LANCZOS4)  # pyright: ignore[reportAssignmentType]
    return picture


def mask_of_face(mask: Mask, record: FaceRecord, face_type: FaceType, width: int) -> Mask:
    """A predicted mask in the face's own crop, cut at one half.

    Args:
        mask: What the network said, `[256, 256, 1]` in its own crop.
        record: The face.
        face_type: Extent of the network's crop.
        width: Of the face's picture.

    Returns:
        `[256, 256, 1]` of 0 and 1; 0 where the network did not look.
    """
    if record.assumed_face_type is not face_type:
        matrix = _between(record, width, face_type, RESOLUTION)
        zoom = np.diag([width / RESOLUTION, width / RESOLUTION, 1.0])
        to_model = (np.vstack([matrix, [0, 0, 1]]) @ zoom)[:2].astype(np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        side = (RESOLUTION, RESOLUTION)
        mask = cv2.warpAffine(mask, to_model, side, flags=flags)[..., None]  # pyright: ignore[reportAssignmentType]
    return (mask > 0.5).astype(np.float32)


def _between(record: FaceRecord, width: int, face_type: FaceType, size: int) -> Transform:
    """From the face's picture to the network's crop."""
    if record.source_landmarks is None:
        return conversion_matrix(record, width, face_type, size)
    own = record.assumed_face_type
    return between_crops(record.source_landmarks, own, width, face_type, size)
