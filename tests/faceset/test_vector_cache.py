"""Identity vectors are kept between runs, and a damaged cache is only a slower run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dflcolab.faceset.vector_cache import VectorCache

ONE, TWO = (VectorCache.key(data) for data in (b"one", b"two"))


def vector(seed: int) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=64)
    return (found / np.linalg.norm(found)).astype(np.float32)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    cache = VectorCache(tmp_path / "cache", "net")
    cache.put(ONE, vector(1))
    cache.put(TWO, vector(2))
    cache.save(complete=True)
    return tmp_path / "cache"


def test_a_vector_comes_back_as_it_was_put_in(filled: Path):
    fresh = VectorCache(filled.with_name("other"), "net").put(ONE, vector(1))

    kept = VectorCache(filled, "net").get(ONE)

    assert kept is not None
    np.testing.assert_array_equal(kept, fresh)
    # Half precision: 11 bits, so components of 0.1 are off by 5e-5 at most.
    np.testing.assert_allclose(kept, vector(1), atol=3e-4)
    assert VectorCache(filled, "net").get(VectorCache.key(b"three")) is None


def test_another_network_starts_anew(filled: Path):
    assert VectorCache(filled, "other net").get(ONE) is None


def test_vectors_of_faces_that_are_gone_are_dropped_after_a_whole_run_only(filled: Path):
    stopped = VectorCache(filled, "net")
    stopped.put(VectorCache.key(b"three"), vector(3))
    stopped.save(complete=False)
    assert VectorCache(filled, "net").get(TWO) is not None

    whole = VectorCache(filled, "net")
    whole.get(ONE)
    whole.put(VectorCache.key(b"four"), vector(4))
    whole.save(complete=True)

    after = VectorCache(filled, "net")
    assert after.get(ONE) is not None
    assert after.get(TWO) is None


def test_a_damaged_cache_is_left_unread(filled: Path):
    data = filled.read_bytes()
    damaged = [data[:n] for n in range(0, len(data), 7)]
    damaged += [b"[]" + b" " * 300, b'{"faces": 1e99, "dims": 2}'.ljust(256), data + b"\0"]
    damaged += [data.replace(b'"faces": 2', b'"faces": 9'), b"\xff" * 400]
    damaged += [data[:-2] + b"\x00\x7c"]  # an infinite number

    for content in damaged:
        filled.write_bytes(content)
        assert VectorCache(filled, "net").get(ONE) is None


def test_a_cache_that_cannot_be_written_stops_nobody(tmp_path: Path):
    cache = VectorCache(tmp_path / "cache", "net")
    cache.put(ONE, vector(1))
    (tmp_path / "cache").mkdir()

    cache.save(complete=True)

    assert cache.get(ONE) is None
