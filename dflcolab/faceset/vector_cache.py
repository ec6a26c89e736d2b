# pyright: strict
"""Identity vectors of faces already looked at, so that nobody waits twice for the network.

A dry run, the clean that follows it, a sort and a report all ask for the same vectors, and the
network takes most of their time. The file is a convenience: damaged, foreign or missing it is left
unread, and it never travels to a remote (its name begins with a dot).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from dflcolab.errors import StorageError
from dflcolab.files import storage_errors, write_bytes

FILE_NAME = ".identity_vectors"
_KEY_BYTES = 20
_HEAD_BYTES = 256

Half = npt.NDArray[np.float16]


class VectorCache:
    """Vectors by the content of the face file they belong to, for one network.

    They are kept in half precision, which moves a likeness by less than 0.001; `rounded` gives fresh
    ones the same precision, so that a result does not depend on what was cached.

    Args:
        path: The cache file, in any folder that exists.
        network: Name of the network; vectors of another one are not used.
    """

    def __init__(self, path: Path, network: str) -> None:
        self._path = path
        self._network = network
        self._known: dict[bytes, Half] = _read(path, network)
        self._fresh: dict[bytes, Half] = {}
        self._used: set[bytes] = set()

    @staticmethod
    def key(data: bytes) -> bytes:
        """Key of a face file with these bytes."""
        return hashlib.blake2b(data, digest_size=_KEY_BYTES).digest()

    def get(self, key: bytes) -> npt.NDArray[np.float32] | None:
        """The vector of a face seen before, else None. Safe from any thread."""
        found = self._known.get(key)
        if found is None:
            return None
        self._used.add(key)
        return found.astype(np.float32)

    def put(self, key: bytes, vector: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Remember a vector; returns it in the precision of the cache. Safe from any thread."""
        half = vector.astype(np.float16)
        self._fresh[key] = half
        return half.astype(np.float32)

    def save(self, *, complete: bool) -> None:
        """Write the cache if anything is new; a full disk is no reason to stop.

        Args:
            complete: All faces were asked for, so vectors that nobody asked for are of faces that
                are gone, and are dropped.
        """
        if not self._fresh:
            return
        used = {key: self._known[key] for key in self._used}
        kept = (used if complete else self._known) | self._fresh
        if len({len(vector) for vector in kept.values()}) != 1:
            return
        vectors = np.stack(list(kept.values()))
        content = _head(self._network, *vectors.shape) + b"".join(kept) + vectors.tobytes()
        try:
            with storage_errors(self._path):
                write_bytes(self._path, content, durable=False)
        except (StorageError, OSError):
            return
        self._known, self._fresh, self._used = kept, {}, set()


def _head(network: str, n: int, dims: int) -> bytes:
    """The first bytes of the file: whose vectors, how many, how long."""
    words = {"format": "dflcolab identity 1", "network": network, "faces": n, "dims": dims}
    return json.dumps(words).encode().ljust(_HEAD_BYTES)


def _read(path: Path, network: str) -> dict[bytes, Half]:
    try:
        content = path.read_bytes()
        words: object = json.loads(content[:_HEAD_BYTES])
        n, dims = int(cast(Any, words)["faces"]), int(cast(Any, words)["dims"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    sizes = (_HEAD_BYTES, n * _KEY_BYTES, n * dims * 2)
    if n < 1 or dims < 1 or len(content) != sum(sizes):
        return {}
    if content[:_HEAD_BYTES] != _head(network, n, dims):
        return {}
    keys = content[_HEAD_BYTES : _HEAD_BYTES + sizes[1]]
    vectors = np.frombuffer(content, np.float16, offset=_HEAD_BYTES + sizes[1]).reshape(n, dims)
    if not np.isfinite(vectors).all():
        return {}
    return {keys[k * _KEY_BYTES : (k + 1) * _KEY_BYTES]: vectors[k] for k in range(n)}
