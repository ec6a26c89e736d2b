"""The fast chains are those that comparing every pair would give, ties included."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.errors import FacesetError, Interrupted, StorageError
from dflcolab.faceset import farthest_chain, farthest_race, sort_by_likeness, sort_keys
from dflcolab.faceset.config import SortKind
from dflcolab.faceset.farthest_chain import FarthestChain
from dflcolab.faceset.histogram_chain import CHUNK, chunks, histogram_chain, pair_distances
from dflcolab.faceset.pivot_limits import AreaLayout
from dflcolab.faceset.pixel_chain import PixelChain
from dflcolab.faceset.sort import sort_faces
from tests.faceset.test_sort import FACES
from tests.stopping import StopAfter


def naive_histogram_chain(roots):
    """DeepFaceLab's loop: the nearest of the rest swaps places with the next one."""
    order = list(range(len(roots)))
    for place in range(len(roots) - 2):
        # `pair_distances` gives each pair the same result, whatever it is computed with.
        distances = pair_distances(roots[order[place]], roots[order[place + 1 :]])
        nearest = place + 1 + int(np.argmin(distances))
        order[place + 1], order[nearest] = order[nearest], order[place + 1]
    return order


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 24),
    low=st.integers(1, 5),
    kinds=st.integers(1, 24),
)
def test_the_chain_of_histograms_equals_the_plain_one(seed: int, n: int, low: int, kinds: int):
    # Few different values per bin make near-ties, repeated histograms exact ones.
    generator = np.random.default_rng(seed)
    counts = generator.integers(0, low + 1, (kinds, 3, 256))[generator.integers(0, kinds, n)]
    roots = sort_keys.histogram_roots(counts.astype(np.float64))

    assert histogram_chain(roots) == naive_histogram_chain(roots)


def test_histograms_that_hardly_differ_are_told_apart():
    """Steps far below what float32 can tell: the exact distances decide."""
    generator = np.random.default_rng(1)
    counts = 1e6 + generator.integers(0, 3, (40, 3, 256))
    roots = sort_keys.histogram_roots(counts.astype(np.float64))

    assert histogram_chain(roots) == naive_histogram_chain(roots)


def test_main_axes_leave_the_chain_as_it_is():
    """Enough faces that only their main axes are compared first: a slow walk, some stand still."""
    generator = np.random.default_rng(2)
    steps = generator.normal(0, 0.2, (260, 3, 8)) * (generator.random((260, 1, 1)) < 0.8)
    bumps = np.exp(-np.square(np.arange(256) - np.arange(16, 256, 32)[:, None]) / 400.0)
    counts = np.rint(1000 * np.exp(steps.cumsum(axis=0)) @ bumps)
    roots = sort_keys.histogram_roots(counts)

    assert histogram_chain(roots) == naive_histogram_chain(roots)


def test_long_lists_are_chained_in_deepfacelabs_pieces():
    assert chunks(CHUNK) == [range(CHUNK)]
    assert chunks(CHUNK + 1) == [range(CHUNK), range(CHUNK, CHUNK + 1)]
    assert [len(part) for part in chunks(45_000)] == [20_000, 20_000, 5_000]
    assert len(chunks(230_000)) == 12
    assert {len(part) for part in chunks(600_000)} == {50_000}


def naive_pixel_chain(pictures, *, dissimilar: bool) -> list[int]:
    rest, order = list(range(1, len(pictures))), [0]
    while rest:
        here = pictures[order[-1]].astype(np.int16)
        distances = [int(np.abs(here - pictures[i]).sum()) for i in rest]
        pick = np.argmax(distances) if dissimilar else np.argmin(distances)
        order.append(rest.pop(int(pick)))
    return order


def chained(pictures, *, dissimilar: bool, step=lambda: None) -> list[int]:
    if dissimilar:
        layout = AreaLayout(*pictures.shape[1:3])
        samples = np.zeros((len(pictures), layout.n_areas, layout.n_samples), np.uint8)
        chain = FarthestChain(layout, samples)
    else:
        chain = PixelChain(np.zeros_like(pictures))
    for index, picture in enumerate(pictures):
        chain.put(index, picture)
    return chain.order(range(len(pictures)), step=step)


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 30),
    height=st.integers(1, 150),
    width=st.integers(1, 70),
    levels=st.sampled_from([2, 5, 256]),
    smooth=st.booleans(),
    dissimilar=st.booleans(),
)
def test_the_chain_of_pixels_equals_the_plain_one(
    seed: int, n: int, height: int, width: int, levels: int, smooth: bool, dissimilar: bool
):
    generator = np.random.default_rng(seed)
    kinds = generator.integers(1, n + 1)
    pictures = generator.integers(0, levels, (kinds, height, width, 3)) * (255 // (levels - 1))
    if smooth:
        pictures[:] = pictures.mean(axis=(1, 2), keepdims=True)
    pictures = pictures[generator.integers(0, kinds, n)].astype(np.uint8)

    assert chained(pictures, dissimilar=dissimilar) == naive_pixel_chain(
        pictures, dissimilar=dissimilar
    )


@pytest.mark.parametrize(("n", "scale"), [(140, 1), (140, 2), (20, 10)])
def test_the_farthest_of_many_faces_are_those_of_the_plain_chain(monkeypatch, n: int, scale: int):
    """More faces than are compared at a time, by one process or with the same pivots; ties."""
    monkeypatch.setattr(farthest_chain, "_SMALL", 10)
    monkeypatch.setattr(farthest_race, "_AT_A_TIME", 8)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    generator = np.random.default_rng(scale)
    faces = [cv2.resize(cv2.imread(str(path)), (60, 70)) for path in sorted(FACES.iterdir())]
    gains = generator.uniform(0.5, 1.1, (n, 1, 1, 3))
    pictures = np.clip(np.stack(faces)[generator.integers(0, len(faces), n)] * gains, 0, 255)
    # Textures that no mean shows: checks and their negative are as far apart as can be.
    checks = np.indices((70, 60)).sum(axis=0)[..., None] % 2 * 255
    pictures[::9] = checks
    pictures[4::9] = 255 - checks
    pictures[7::30] = 128
    pictures = pictures.astype(np.uint8).repeat(scale, 1).repeat(scale, 2)[:, 1:]

    assert chained(pictures, dissimilar=True) == naive_pixel_chain(pictures, dissimilar=True)


def test_the_chain_says_when_a_process_of_it_was_ended(monkeypatch):
    monkeypatch.setattr(farthest_chain, "_SMALL", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)

    def kill() -> None:
        for process in multiprocessing.active_children():
            process.kill()
            process.join()

    pictures = np.random.default_rng(5).integers(0, 255, (20, 9, 9, 3), dtype=np.uint8)
    with pytest.raises(FacesetError, match="ended from outside"):
        chained(pictures, dissimilar=True, step=kill)
    assert not multiprocessing.active_children()


def test_pictures_of_two_sizes_cannot_be_compared_by_pixels(tmp_path: Path):
    paths = [tmp_path / "0.jpg", tmp_path / "1.jpg"]
    for path, side in zip(paths, (64, 96), strict=True):
        cv2.imwrite(str(path), np.zeros((side, side, 3), np.uint8))

    with pytest.raises(FacesetError, match=r"1\.jpg has 96 x 96 pixels"):
        sort_faces(paths, SortKind.ABSDIFF)


@pytest.mark.parametrize("dissimilar", [False, True])
def test_a_stop_ends_the_chain(dissimilar: bool):
    progress = StopAfter(2, title="Chaining")

    with pytest.raises(Interrupted):
        sort_faces(
            sorted(FACES.iterdir()), SortKind.ABSDIFF, dissimilar=dissimilar, progress=progress
        )

    chaining = progress.tasks[-1]
    assert (chaining.done, chaining.total) == (2, len(list(FACES.iterdir())))


@pytest.mark.parametrize("dissimilar", [False, True])
def test_pictures_that_do_not_fit_into_memory_are_chained_from_the_disk(
    monkeypatch, dissimilar: bool
):
    paths = sorted(FACES.iterdir())
    in_memory = sort_faces(paths, SortKind.ABSDIFF, dissimilar=dissimilar)
    maps = []
    memmap = np.memmap
    monkeypatch.setattr(sort_by_likeness, "_MEMORY_SHARE", 0)
    monkeypatch.setattr(np, "memmap", lambda *args, **kw: maps.append(1) or memmap(*args, **kw))

    assert sort_faces(paths, SortKind.ABSDIFF, dissimilar=dissimilar).order == in_memory.order
    assert maps


def test_damaged_pictures_are_set_aside_by_absdiff(tmp_path: Path):
    paths = [tmp_path / path.name for path in sorted(FACES.iterdir())]
    for path in paths:
        path.write_bytes((FACES / path.name).read_bytes())
    paths[0].write_bytes(b"\xff\xd8 nothing")

    found = sort_faces(paths, SortKind.ABSDIFF)

    assert set(found.rejected) == {paths[0].name}
    assert sorted(found.order) == [path.name for path in paths[1:]]


def test_a_full_disk_is_noticed_before_the_work(monkeypatch):
    monkeypatch.setattr(sort_by_likeness, "_MEMORY_SHARE", 0)
    monkeypatch.setattr(sort_by_likeness, "_SPARE_BYTES", 1 << 60)

    with pytest.raises(StorageError, match="set TMPDIR"):
        sort_faces(sorted(FACES.iterdir()), SortKind.ABSDIFF)
