"""Views of labelled faces have DeepFaceLab's distribution, and repeat with the seed."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from dflcolab.faceset.faceset import load_faceset
from dflcolab.progress import Progress
from dflcolab.training.augment import PADDING
from dflcolab.xseg import augment
from dflcolab.xseg.augment import sample_faces, sample_masks
from dflcolab.xseg.dataset import prepare_mask_faces
from tests.parity.vector_cases import load_json, vectors_root

SIZE = 64


def made_faces(count: int, *, size: int = SIZE):
    generator = np.random.default_rng(0)
    small = generator.integers(0, 256, (count, 9, 9, 3), dtype=np.uint8)
    big = tf.image.resize(small, [size, size], "bicubic").numpy().clip(0, 255).astype(np.uint8)
    mask = np.zeros((count, size, size, 1), np.uint8)
    mask[:, size // 5 : -size // 5, size // 4 : -size // 4] = 255
    pad = ((0, 0), (PADDING, PADDING), (PADDING, PADDING), (0, 0))
    return np.concatenate([np.pad(big, pad, mode="edge"), np.pad(mask, pad)], axis=3)


def seed(*values: int):
    return tf.constant(values, tf.int64)


def test_the_same_seed_gives_the_same_views_and_another_seed_others():
    faces = tf.constant(made_faces(4))
    first = sample_masks(faces, faces[::-1], seed(1, 5))
    again = sample_masks(faces, faces[::-1], seed(1, 5))
    other = sample_masks(faces, faces[::-1], seed(1, 6))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.abs(first.pictures - other.pictures).mean() > 0.01
    assert np.abs(sample_faces(faces, seed(1, 5)) - sample_faces(faces, seed(1, 6))).mean() > 0.01


def test_views_are_pictures_with_clean_masks():
    faces = tf.constant(made_faces(4))
    for number in range(6):
        views = sample_masks(faces, faces[::-1], seed(0, number))
        pictures = views.pictures.numpy()
        assert np.isfinite(pictures).all()
        assert pictures.min() >= 0
        assert pictures.max() <= 1
        assert set(np.unique(views.masks)) <= {0.0, 1.0}


def test_masks_move_with_the_picture(monkeypatch: pytest.MonkeyPatch):
    """A picture that is its own mask stays its own mask where nothing but its place changes."""
    for name in ("glowing", "sharpened_or_blurred", "made_coarse", "recompressed", "recolored"):
        monkeypatch.setattr(augment, name, lambda pictures, *_: pictures)
    mask = np.zeros((4, SIZE, SIZE, 1), np.uint8)
    mask[:, 10:50, 20:52] = 255
    pad = ((0, 0), (PADDING, PADDING), (PADDING, PADDING), (0, 0))
    faces = tf.constant(np.pad(np.repeat(mask, 4, axis=3), pad))
    dark = tf.zeros_like(faces)
    for number in range(8):
        views = sample_masks(faces, dark, seed(0, number))
        inside, shown = views.masks.numpy()[..., 0] > 0.5, views.pictures.numpy()[..., 0]
        assert inside.sum() > 4 * 600
        # Cut at a half: nothing brighter lies outside, nothing darker inside.
        assert shown[inside].min() >= 0.5
        assert shown[~inside].max() <= 0.5


def test_half_of_the_faces_get_a_background_that_leaves_the_face_alone():
    faces = made_faces(600, size=16)
    others = np.zeros_like(faces)
    others[..., :3] = 255
    mixed = augment.with_backgrounds(tf.constant(faces), tf.constant(others), seed(3, 4)).numpy()
    inner = slice(PADDING, -PADDING)
    before, after = (f[:, inner, inner].astype(np.float32) for f in (faces, mixed))
    np.testing.assert_array_equal(after[..., 3], before[..., 3])
    face = before[..., 3] == 255
    np.testing.assert_allclose(after[..., :3][face], before[..., :3][face], atol=1e-3)
    changed = (np.abs(after - before).max(axis=(1, 2, 3)) > 1e-3).sum()
    assert stats.binomtest(int(changed), 600, 0.5).pvalue > 1e-4


def test_a_quarter_is_made_coarse_and_a_quarter_compressed():
    faces = made_faces(600, size=16)[:, PADDING:-PADDING, PADDING:-PADDING, :3] / np.float32(255)
    for change in (augment.made_coarse, augment.recompressed):
        after = change(tf.constant(faces), seed(5, 6)).numpy()
        changed = (np.abs(after - faces).max(axis=(1, 2, 3)) > 1e-4).sum()
        # Some discs miss the picture, and some sizes round to the full one: up to a tenth fewer.
        assert 0.25 * 600 * 0.8 < changed < 0.25 * 600 * 1.25


def test_half_of_the_pictures_glow_brighter():
    faces = made_faces(400, size=16)[:, PADDING:-PADDING, PADDING:-PADDING] / np.float32(255)
    pictures, masks = tf.constant(faces[..., :3]), tf.constant(faces[..., 3:])
    after = augment.glowing(pictures, masks, seed(7, 8)).numpy()
    brighter = after.mean(axis=(1, 2, 3)) > faces[..., :3].mean(axis=(1, 2, 3)) + 1e-3
    assert stats.binomtest(int(brighter.sum()), 400, 0.5).pvalue > 1e-4


@pytest.mark.parametrize("region", ["inner", "fade"])
def test_discs_are_drawn_as_deepfacelab_draws_them(region: str, monkeypatch: pytest.MonkeyPatch):
    drawn: dict[str, np.ndarray] = {}

    def remember(size, centers, inner, fade):
        drawn.update(inner=inner.numpy(), fade=fade.numpy(), centers=centers.numpy())
        return tf.zeros([len(inner), size, size, 1])

    monkeypatch.setattr(augment, "faded_circles", remember)
    count, size = 4000, 32
    empty = tf.zeros([count, size, size, 1])
    augment._blended(empty, empty, seed(9, 9))
    generator = np.random.default_rng(0)
    inner = generator.integers(0, size, 20_000)
    fade = inner + (generator.random(20_000) * (size - inner)).astype(int)
    wanted = {"inner": inner, "fade": fade}[region]
    assert stats.mannwhitneyu(drawn[region], wanted)[1] > 1e-4
    counts = np.bincount(drawn["centers"][:, 0].astype(int), minlength=size)
    assert float(stats.chisquare(counts)[1]) > 1e-4


def test_statistics_are_those_of_deepfacelabs_samples():
    """README of the vectors: means within 0.03; two deviations of the mean of our 300 samples."""
    folder = vectors_root() / "imaging" / "xseg_aug"
    if not folder.is_dir():
        pytest.skip("These vectors hold no samples of masks.")
    known = load_json(folder / "xseg_aug.json")
    faceset = load_faceset(folder)
    indices = [i for i, name in enumerate(faceset.names) if name in known["samples"]]
    face_type = faceset.records[indices[0]].assumed_face_type
    made = prepare_mask_faces(
        faceset, indices, face_type=face_type, resolution=known["resolution"], title="faces",
        progress=Progress(), problems=[],
    )  # fmt: skip
    places = np.arange(12) % len(made)
    means, spreads, masks = [], [], []
    draw = tf.function(sample_masks, autograph=False)
    for number in range(25):
        views = draw(made.faces[places], made.faces[np.roll(places, 1)], seed(1, number))
        pictures = views.pictures.numpy()
        means += pictures.mean(axis=(1, 2, 3)).tolist()
        spreads += pictures.std(axis=(1, 2, 3)).tolist()
        masks += views.masks.numpy().mean(axis=(1, 2, 3)).tolist()
    assert np.mean(means) == pytest.approx(known["image_mean_mean"], abs=0.03)
    assert np.std(means) == pytest.approx(known["image_mean_std"], abs=0.03)
    assert np.mean(spreads) == pytest.approx(known["image_std_mean"], abs=0.03)
    assert np.mean(masks) == pytest.approx(known["mask_mean_mean"], abs=0.03)
    assert np.std(masks) == pytest.approx(known["mask_mean_std"], abs=0.03)
