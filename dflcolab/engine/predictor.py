"""A trained model as merging uses it: dst faces in, swapped faces and masks out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Array
from dflcolab.backend import tf
from dflcolab.engine.checkpoint import WEIGHTS
from dflcolab.engine.checkpoint_choice import CheckpointChoice
from dflcolab.engine.chosen_checkpoint import chosen_checkpoint
from dflcolab.engine.precision import prepare_device
from dflcolab.errors import ModelError
from dflcolab.faces.face_type import FaceType
from dflcolab.models.amp.network import Amp
from dflcolab.models.build import SwapModel, swap_model
from dflcolab.models.kinds import swap_options_of
from dflcolab.models.layers import Weights
from dflcolab.models.weight_map import checked_weights

Batch = npt.NDArray[np.float32]


class Predictor:
    """Paints src's face with dst's expression, in float32.

    Args:
        model: Wiring of any kind of model that swaps faces.
        weights: Full variable name to float32 array.
        face_type: What the model was trained on.
        iteration: How long it was trained, for reports.
        identity: Text that differs between any two sets of weights.

    Attributes:
        resolution: Side of the faces it takes and gives.
        face_type: Extent of the crop it takes.
        iteration: Finished iterations.
        identity: Tells whether results were made with the same weights.
    """

    def __init__(
        self,
        model: SwapModel,
        weights: Mapping[str, Array],
        *,
        face_type: FaceType,
        iteration: int = 0,
        identity: str = "",
    ) -> None:
        self.identity = identity
        self.resolution = model.resolution
        self.face_type = face_type
        self.iteration = iteration
        constants = Weights({name: tf.constant(value) for name, value in weights.items()})
        shape = [None, self.resolution, self.resolution, 3]

        def run(faces: Any, morph: Any) -> Any:
            if isinstance(model, Amp):
                swap, dst = model.swap_and_dst(constants, faces, morph=morph)
            else:
                swap, dst = model.swap_and_dst(constants, faces)
            return swap.picture, swap.mask, dst.mask

        signature = [tf.TensorSpec(shape, tf.float32), tf.TensorSpec([None], tf.float32)]
        self._run = tf.function(run, input_signature=signature, autograph=False)

    def predict(
        self, faces: npt.NDArray[Any], morphs: npt.ArrayLike = 1.0
    ) -> tuple[Batch, Batch, Batch]:
        """Swap a batch of aligned dst faces.

        Args:
            faces: `[B, R, R, 3]` BGR in 0..1.
            morphs: For AMP: how far from dst (0) to src (1) each face is morphed, `[B]` or one number.
                Other models have no morph.

        Returns:
            Swapped faces `[B, R, R, 3]`, their masks `[B, R, R, 1]` and the masks of dst
            `[B, R, R, 1]`; float32 in 0..1.
        """
        morph = np.broadcast_to(np.clip(np.asarray(morphs, np.float32), 0.0, 1.0), len(faces))
        outputs = self._run(tf.constant(faces, tf.float32), tf.constant(morph))
        swap, swap_mask, dst_mask = (output.numpy() for output in outputs)
        return swap, swap_mask, dst_mask


def load_predictor(
    model_dir: Path,
    *,
    checkpoint: CheckpointChoice = "latest",
    on_problem: Callable[[str], None] | None = None,
) -> Predictor:
    """The predictor of one of a model's checkpoints.

    Args:
        model_dir: `model/<name>` of a workspace.
        checkpoint: Which one; `latest` is the latest whole one.
        on_problem: Gets a sentence for each broken checkpoint that was passed over.

    Raises:
        ModelError: There is no such model, or it does not swap faces.
        CheckpointError: That checkpoint is not there or not whole, or it does not fit its own options.
    """
    prepare_device()
    found = chosen_checkpoint(model_dir, checkpoint, on_problem=on_problem)
    if found is None:
        raise ModelError(
            f"There is no trained model {model_dir.name!r} in {model_dir.parent}; train it first "
            "with `dflcolab train`, or see `dflcolab model list`."
        )
    state = found.state()
    source = str(found.folder)
    options = swap_options_of(state["architecture"], state["options"], source=source)
    model = swap_model(options)
    weights = checked_weights(model.shapes(), found.weights(), source=source)
    return Predictor(
        model,
        weights,
        face_type=options.face_type,
        iteration=found.iteration,
        identity=found.parts[WEIGHTS][1],
    )
