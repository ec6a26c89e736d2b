"""Whole models as ONNX graphs, with the inputs and outputs that DeepFaceLab's exports have.

DFM (DFL interoperability notes, section 5.2): faces in, the mask of dst, the swapped face and its
mask out. Pictures are `[batch, R, R, C]`, BGR, 0..1; `:0` is part of the names.
"""

from __future__ import annotations

from collections.abc import Mapping

from dflcolab.arrays import Array
from dflcolab.exporting.drawing import Artist
from dflcolab.exporting.onnx_canvas import OnnxCanvas
from dflcolab.formats.onnx_file import OnnxModel
from dflcolab.models.build import swap_model
from dflcolab.models.kinds import ModelOptions, SwapModelOptions
from dflcolab.models.xseg.network import XSeg
from dflcolab.models.xseg.options import XSegOptions

DFM_OPSET = 12
XSEG_OPSET = 13
FACE_INPUT = "in_face:0"
MORPH_INPUT = "morph_value:0"
DST_MASK = "out_face_mask:0"
SWAP = "out_celeb_face:0"
SWAP_MASK = "out_celeb_face_mask:0"
XSEG_MASK = "out_mask:0"


def onnx_model(
    options: ModelOptions,
    weights: Mapping[str, Array],
    *,
    name: str,
    producer: tuple[str, str],
    metadata: dict[str, str],
) -> OnnxModel:
    """The graph of a model of any kind.

    Args:
        options: Say which kind and size.
        weights: Full variable name to float32 array.
        name: Of the graph.
        producer: Name and version of this software.
        metadata: Texts to keep in the file.
    """
    if isinstance(options, XSegOptions):
        canvas = _xseg(options, weights)
    else:
        canvas = _swap(options, weights)
    return canvas.finished(name=name, producer=producer, metadata=metadata)


def _swap(options: SwapModelOptions, weights: Mapping[str, Array]) -> OnnxCanvas:
    canvas = OnnxCanvas(DFM_OPSET)
    size = options.resolution
    face = canvas.picture_input(FACE_INPUT, size, 3)
    morph = canvas.number_input(MORPH_INPUT) if options.arch == "amp" else None
    drawn = Artist(canvas, weights).swap_and_dst_mask(swap_model(options), face, morph)
    canvas.picture_output(drawn.dst_mask, DST_MASK, size, 1)
    canvas.picture_output(drawn.swap, SWAP, size, 3)
    canvas.picture_output(drawn.swap_mask, SWAP_MASK, size, 1)
    return canvas


def _xseg(options: XSegOptions, weights: Mapping[str, Array]) -> OnnxCanvas:
    canvas = OnnxCanvas(XSEG_OPSET)
    network = XSeg(options.base)
    face = canvas.picture_input(FACE_INPUT, network.resolution, 3)
    mask = Artist(canvas, weights).xseg_mask(network, face)
    canvas.picture_output(mask, XSEG_MASK, network.resolution, 1)
    return canvas
