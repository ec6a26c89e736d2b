"""Random views of labelled faces for training, drawn and applied in the graph.

The order and the numbers are DeepFaceLab's (interoperability notes, section 6.5): another face as
background, grid warp and transform, glow of face and surroundings, colors, sharpness, size, JPEG;
the later ones through soft discs that fade them out. Its JPEG files and OpenCV filters are computed
in the graph (`filters`, `jpeg`), for every face of a batch, and taken where chance says so.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from dflcolab.arrays import Tensor
from dflcolab.backend import fused, per_face, tf
from dflcolab.training.augment import (
    PADDING,
    affine_positions,
    dark_outside,
    inverse_transforms,
    move_colors,
    random_grids,
    random_transforms,
    resample,
    warp_positions,
)
from dflcolab.xseg.filters import (
    coarsened,
    faded_circles,
    filtered,
    gaussian_blur,
    identity_kernels,
    leveled,
    motion_kernels,
    sharpening_kernels,
)
from dflcolab.xseg.jpeg import compressed

SCALE = 0.05
"""Share by which faces are enlarged or shrunk at most."""

_BACKGROUND_SCALE = 0.10
_BACKGROUND_SHIFT = 0.10
_FLIP_SHARE = 0.4
_CHANCE = 0.25
_STRENGTH = 5  # K of the notes for sharpening and blurs
_COARSEST = 0.75  # of the side that shrinking may take away


class MaskSample(NamedTuple):
    """A batch ready for the network, float32.

    Attributes:
        pictures: `[B, R, R, 3]`, BGR in 0..1.
        masks: `[B, R, R, 1]`, 0 or 1.
    """

    pictures: Tensor
    masks: Tensor


def sample_masks(faces: Tensor, backgrounds: Tensor, seed: Tensor) -> MaskSample:
    """Draw one random view of each face.

    Args:
        faces: `[B, R + 6, R + 6, 4]` uint8: BGR (edges repeated outwards) and mask (zero outwards),
            with `PADDING` pixels on each side. R is a multiple of 16.
        backgrounds: As many other faces, in the same form.
        seed: Two integers; the same seed gives the same views.
    """
    count, size = faces.shape[0], faces.shape[1] - 2 * PADDING
    seeds = tf.unstack(tf.random.split(seed, 9))
    mixed = with_backgrounds(faces, backgrounds, seeds[0])
    transforms = random_transforms(count, size, seeds[1], flip=True, scale=SCALE)
    cut = _warped(mixed, transforms, *random_grids(count, size, seeds[2]))
    pictures = tf.clip_by_value(cut[..., :3], 0.0, 1.0)
    masks = tf.cast(cut[..., 3:] > 0.5, tf.float32)
    pictures = glowing(pictures, masks, seeds[3])
    pictures = glowing(pictures, 1 - masks, seeds[4])
    pictures = _blended(pictures, recolored(pictures, seeds[5]), seeds[5])
    pictures = sharpened_or_blurred(pictures, seeds[6])
    pictures = made_coarse(pictures, seeds[7])
    return MaskSample(recompressed(pictures, seeds[8]), masks)


def sample_faces(faces: Tensor, seed: Tensor) -> Tensor:
    """Views for pretraining, `[B, R, R, 3]`: warped, transformed and mirrored, nothing else.

    Args:
        faces: `[B, R + 6, R + 6, C]` uint8, a picture first.
        seed: Two integers.
    """
    count, size = faces.shape[0], faces.shape[1] - 2 * PADDING
    seeds = tf.unstack(tf.random.split(seed, 2))
    transforms = random_transforms(count, size, seeds[0], flip=True, scale=SCALE)
    pictures = dark_outside(faces[..., :3])
    cut = _warped(pictures, transforms, *random_grids(count, size, seeds[1]))
    return tf.clip_by_value(cut, 0.0, 1.0)


def with_backgrounds(faces: Tensor, backgrounds: Tensor, seed: Tensor) -> Tensor:
    """Half of the faces before another face without its face, which also shines through a little.

    Returns:
        The faces, `[B, R + 6, R + 6, 4]` uint8, black and without mask around.
    """
    count, size = faces.shape[0], faces.shape[1] - 2 * PADDING
    seeds = tf.unstack(tf.random.split(seed, 3))
    behind = _turned(backgrounds, _background_transforms(count, size, seeds[0]))
    picture = recolored(behind[..., :3] * (1 - behind[..., 3:]), seeds[2])
    chosen, share = _uniform(seeds[1], count, 2)
    return _mixed(faces, picture, behind[..., 3:], chosen < 0.5, 0.15 + 0.85 * share)


@fused
def _turned(faces: Tensor, transforms: Tensor) -> Tensor:
    """Faces transformed, all channels by cubics, `[B, R, R, 4]` in 0..1."""
    positions = affine_positions(transforms, faces.shape[1] - 2 * PADDING)
    return tf.clip_by_value(resample(faces, positions, cubic=4), 0.0, 1.0)


@fused
def _mixed(
    faces: Tensor, behind: Tensor, behind_mask: Tensor, chosen: Tensor, share: Tensor
) -> Tensor:
    """The chosen faces before `behind`, where there was `share` of their own surroundings left."""
    inner = tf.cast(faces[:, PADDING:-PADDING, PADDING:-PADDING], tf.float32) / 255
    face, mask = inner[..., :3], inner[..., 3:]
    kept = 1 - (1 - behind_mask) * (1 - mask)
    through = _wide(share)
    before = face * kept + face * (1 - kept) * through + behind * (1 - kept) * (1 - through)
    mixed = tf.where(_wide(chosen), before, face)
    joined = tf.round(255 * tf.clip_by_value(tf.concat([mixed, mask], axis=3), 0.0, 1.0))
    around = [PADDING, PADDING]
    return tf.pad(tf.cast(joined, tf.uint8), [[0, 0], around, around, [0, 0]])


def glowing(pictures: Tensor, regions: Tensor, seed: Tensor) -> Tensor:
    """Half of the pictures with the light of a region spread far around; not cut to 0..1."""
    count, size, _, _ = pictures.shape
    chosen, drawn = _uniform(seed, count, 2)
    kernels = size // 4 + _whole(drawn, size - size // 4)
    kernels = kernels - kernels % 2 + 1
    spread = gaussian_blur(pictures * regions, kernels)
    return tf.where(_wide(chosen) < 0.5, pictures + spread, pictures)


def recolored(pictures: Tensor, seed: Tensor) -> Tensor:
    """Half of the pictures with other hue, saturation and value, half with other levels."""
    count = pictures.shape[0]
    chosen, *hsv = _uniform(seed, count, 4)
    levels_seed: Tensor = tf.random.fold_in(seed, 1)
    drawn = per_face(lambda n: tf.random.stateless_uniform([5, n, 3], levels_seed), count, axis=1)
    factors = tf.constant([0.25, -0.25, 1.0, 0.25, -0.25])[:, None, None]
    offsets = tf.constant([0.0, 1.0, 0.5, 0.0, 1.0])[:, None, None]
    degrees = tf.cast(_whole(hsv[0], 360), tf.float32)
    levels = offsets + factors * drawn
    return _recolored(pictures, chosen < 0.5, degrees, hsv[1] - 0.5, hsv[2] - 0.5, levels)


@fused
def _recolored(
    pictures: Tensor,
    chosen: Tensor,
    degrees: Tensor,
    saturation: Tensor,
    value: Tensor,
    levels: Tensor,
) -> Tensor:
    moved = move_colors(pictures, degrees, saturation, value)
    return tf.where(_wide(chosen), moved, leveled(pictures, levels))


def sharpened_or_blurred(pictures: Tensor, seed: Tensor) -> Tensor:
    """Half of the pictures sharpened at times, half blurred along a line or around at times."""
    count = pictures.shape[0]
    drawn = _uniform(seed, count, 10)
    sharpens = drawn[0] < 0.5
    box = drawn[1] < 0.5
    amounts = tf.cast(tf.where(box, _whole(drawn[2], 10), _whole(drawn[2], 50)), tf.float32)
    sizes = _whole(drawn[3], _STRENGTH) + 1
    sharp = sharpening_kernels(sizes, amounts, box=box)
    lines = motion_kernels(sizes, _whole(drawn[4], 360))
    kernels = tf.where(sharpens[:, None, None], sharp, lines)
    happens = drawn[5] < _CHANCE
    kernels = tf.where(happens[:, None, None], kernels, identity_kernels(count))
    pictures = _blended(pictures, filtered(pictures, kernels), tf.random.fold_in(seed, 1))
    blurs = tf.logical_and(~sharpens, drawn[6] < _CHANCE)
    rounds = tf.where(blurs, 2 * _whole(drawn[7], _STRENGTH) + 1, 1)
    return _blended(pictures, gaussian_blur(pictures, rounds), tf.random.fold_in(seed, 2))


def made_coarse(pictures: Tensor, seed: Tensor) -> Tensor:
    """A quarter of the pictures shrunk and enlarged again; all cut to 0..1."""
    count, size, _, _ = pictures.shape
    nearest, chance, amount = _uniform(seed, count, 3)
    lost = tf.cast(amount * int(size * _COARSEST), tf.int32)
    sides = tf.where(chance < _CHANCE, size - lost, size)
    coarse = coarsened(pictures, sides, nearest=nearest < 0.5)
    blended = _blended(pictures, coarse, tf.random.fold_in(seed, 1))
    return tf.clip_by_value(blended, 0.0, 1.0)


def recompressed(pictures: Tensor, seed: Tensor) -> Tensor:
    """A quarter of the pictures through JPEG compression of quality 10 to 100."""
    count = pictures.shape[0]
    chance, drawn = _uniform(seed, count, 2)
    changed = compressed(pictures, 10 + _whole(drawn, 91))
    blended = _blended(pictures, changed, tf.random.fold_in(seed, 1))
    return tf.where(_wide(chance) < _CHANCE, blended, pictures)


@fused
def _warped(faces: Tensor, transforms: Tensor, displacement: Tensor, cell: Tensor) -> Tensor:
    """Faces warped and transformed, all channels by cubics; `[B, R, R, C]`, about 0..1.

    Where the transform looks beyond the face, pictures repeat their edge and masks (channel 3) end,
    as DeepFaceLab's do; its warp, which comes before, finds black beyond the edge.
    """
    size = faces.shape[1] - 2 * PADDING
    plain = affine_positions(transforms, size)
    cut = resample(faces, warp_positions(plain, (displacement, cell), size), cubic=faces.shape[3])
    inside = tf.reduce_all(tf.logical_and(plain > -0.5, plain < size - 0.5), axis=1)
    inside = tf.expand_dims(inside, 3)
    masks = tf.where(inside, cut[..., 3:], 0.0)
    return tf.concat([cut[..., :3], masks], axis=3)


def _background_transforms(count: int, size: int, seed: Tensor) -> Tensor:
    """Turned all the way round, scaled and shifted by up to a tenth, mirrored (40 %)."""
    turn, scale, shift_x, shift_y, mirror = _uniform(seed, count, 5)
    smallest, largest = 1 / (1 + _BACKGROUND_SCALE), 1 + _BACKGROUND_SCALE
    reach = _BACKGROUND_SHIFT * size
    return inverse_transforms(
        (2 * turn - 1) * math.pi,
        smallest + scale * (largest - smallest),
        (2 * shift_x - 1) * reach,
        (2 * shift_y - 1) * reach,
        tf.cast(mirror < _FLIP_SHARE, tf.float32),
        size,
    )


def _blended(pictures: Tensor, changed: Tensor, seed: Tensor) -> Tensor:
    """`changed` inside of a random soft disc of each face, `pictures` outside."""
    count, size, _, _ = pictures.shape
    inner, fade, row, column = _uniform(tf.random.fold_in(seed, 99), count, 4)
    radius = _whole(inner, size)
    falls = _whole(fade, size - radius)
    centers = tf.cast(tf.stack([_whole(row, size), _whole(column, size)], axis=1), tf.float32)
    as_float = (tf.cast(value, tf.float32) for value in (radius, radius + falls))
    circles = faded_circles(size, centers, *as_float)
    return pictures + (changed - pictures) * circles


def _uniform(seed: Tensor, count: int, n: int) -> list[Tensor]:
    """`n` times `[B]` numbers, evenly from 0 to 1."""
    return tf.unstack(per_face(lambda k: tf.random.stateless_uniform([n, k], seed), count, axis=1))


def _whole(drawn: Tensor, limit: Tensor | int) -> Tensor:
    """Whole numbers from 0 to `limit` - 1, of numbers from 0 to 1; int32."""
    reach = tf.cast(limit, tf.float32)
    return tf.minimum(tf.cast(drawn * reach, tf.int32), tf.cast(limit, tf.int32) - 1)


def _wide(values: Tensor) -> Tensor:
    """`[B]` to `[B, 1, 1, 1]`."""
    return values[:, None, None, None]
