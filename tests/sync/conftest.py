"""A small workspace and a file system that fails on demand."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from dflcolab.sync.remote import Remote
from dflcolab.workspace.placing import HIDDEN
from dflcolab.workspace.settings import WorkspaceSettings, write_settings
from dflcolab.workspace.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Videos, faces, a checkpoint, a DFL model file, a history: a bit of everything."""
    root = tmp_path / "workspace"
    random_bytes = random.Random(1).randbytes
    contents = {
        "data_src.mp4": random_bytes(300_000),
        "data_dst.mp4": random_bytes(200_000),
        "result.mp4": random_bytes(100_000),
        "data_src/extract.jsonl": b"{}\n",
        "data_src/aligned_trash/00003_0.jpg": b"gone",
        "data_src/aligned_trash/trash.jsonl": b"",
        "data_src/aligned_debug/00001.jpg": b"can be made again",
        "data_dst/aligned/faceset.pak": random_bytes(5_000),
        "model/first/ckpt-000000010/weights.safetensors": random_bytes(50_000),
        "model/first/ckpt-000000010/preview.jpg": b"preview",
        "model/old_SAEHD_decoder_src.npy": b"dfl",
        "history/run/losses.f32": b"1234",
    }
    contents |= {f"data_src/aligned/{n:05d}_0.jpg": b"face %d" % n * 40 for n in range(30)}
    for path, data in contents.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    write_settings(root, WorkspaceSettings(name="test"))
    return Workspace.open(root)


class FaultyFileSystem(LocalFileSystem):
    """A local folder whose n-th operation fails, as a mounted Drive does.

    Attributes:
        left: Operations until the failure; None never fails.
        error: Number of the error.
        corrupt: Flip a byte of whatever is written, in silence.
    """

    cachable = False
    left: int | None = None
    error = errno.EIO
    corrupt = False

    def _count(self, what: str) -> None:
        if self.left is None:
            return
        if self.left == 0:
            raise OSError(self.error, os.strerror(self.error), what)
        self.left -= 1

    def ls(self, path: str, detail: bool = False, **kwargs: Any):
        self._count("ls")
        return super().ls(path, detail=detail, **kwargs)

    def mkdir(self, path: str, create_parents: bool = True, **kwargs: Any) -> None:
        self._count("mkdir")
        super().mkdir(path, create_parents=create_parents, **kwargs)

    def info(self, path: str, **kwargs: Any):
        self._count("info")
        return super().info(path, **kwargs)

    def open(self, path: str, mode: str = "rb", **kwargs: Any):
        self._count(f"open {mode}")
        return FaultyFile(self, super().open(path, mode, **kwargs))


class FaultyFile:
    """Counts and fails with its file system."""

    def __init__(self, filesystem: FaultyFileSystem, stream: Any) -> None:
        self._filesystem = filesystem
        self._stream = stream

    def __enter__(self):
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()

    def read(self, size: int = -1) -> bytes:
        self._filesystem._count("read")
        return self._stream.read(size)

    def write(self, data: bytes) -> int:
        self._filesystem._count("write")
        if self._filesystem.corrupt and data:
            data = bytes([data[0] ^ 1]) + data[1:]
        return self._stream.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@pytest.fixture
def faulty(tmp_path: Path) -> tuple[Remote, FaultyFileSystem]:
    filesystem = FaultyFileSystem()
    return Remote(filesystem, str(tmp_path / "shelf"), "shelf"), filesystem


@pytest.fixture(params=["folder", "memory"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Remote:
    """Every kind of place that a copy can go to."""
    if request.param == "folder":
        return Remote.open(tmp_path / "shelf")
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    return Remote.open("memory://shelf/of/mine")


def files_of(root: Path) -> dict[str, bytes]:
    """Contents by path, without what the machine remembers for itself."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.relative_to(root).parts[0] != HIDDEN
    }
