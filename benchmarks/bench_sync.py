"""Time, bytes and remote objects of copying 5,000 faces and a model of 1 GB, there and back.

Steps: first push · push with nothing new · push after 100 changed faces and one new checkpoint · pull on
an empty machine · pull of what is there already. Contents are random bytes: copying does not look at
them, and nothing can be compressed. `--remote` takes any address; by default a folder on the same disk.

Beside the table stands what the disk itself does: a file of 256 MB written, synced, read and hashed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from benchmarks.machine import Table, peak_memory_mb, print_machine
from dflcolab.sync.overview import OBJECT_FOLDERS, status
from dflcolab.sync.pull import pull
from dflcolab.sync.push import push
from dflcolab.sync.remote import Remote
from dflcolab.workspace.settings import WorkspaceSettings, write_settings
from dflcolab.workspace.workspace import Workspace

T = TypeVar("T")
_FACE_BYTES = 40_000  # a JPEG of 256 pixels at quality 90


def make_workspace(root: Path, *, n_faces: int, model_mb: int) -> Workspace:
    """Faces of both sides, a video, and a model with one checkpoint."""
    for side in ("src", "dst"):
        aligned = root / f"data_{side}" / "aligned"
        aligned.mkdir(parents=True)
        for number in range(n_faces // 2):
            (aligned / f"{number:05d}_0.jpg").write_bytes(os.urandom(_FACE_BYTES))
        (root / f"data_{side}.mp4").write_bytes(os.urandom(20 << 20))
    write_checkpoint(root, 10_000, model_mb)
    write_settings(root, WorkspaceSettings(name="bench"))
    return Workspace.open(root)


def write_checkpoint(root: Path, iteration: int, model_mb: int) -> None:
    """A third weights, two thirds optimizer, as AdaBelief has them."""
    folder = root / "model" / "first" / f"ckpt-{iteration:09d}"
    folder.mkdir(parents=True)
    for name, share in (("weights", 1), ("optimizer", 2)):
        with (folder / f"{name}.safetensors").open("wb") as stream:
            for _ in range(model_mb * share // 3):
                stream.write(os.urandom(1 << 20))
    (folder / "preview.jpg").write_bytes(os.urandom(100_000))


def change_faces(root: Path, n: int) -> None:
    """Other contents for the first faces of src."""
    for number in range(n):
        path = root / "data_src" / "aligned" / f"{number:05d}_0.jpg"
        path.write_bytes(os.urandom(_FACE_BYTES))


def disk_rate(folder: Path) -> float:
    """MB/s of writing, syncing, reading and hashing one file."""
    data = os.urandom(64 << 20)
    path = folder / "probe"
    begin = time.perf_counter()
    with path.open("wb") as stream:
        for _ in range(4):
            stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    with path.open("rb") as stream:
        hashlib.file_digest(stream, "sha256")
    seconds = time.perf_counter() - begin
    path.unlink()
    return 4 * len(data) / 1e6 / seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=5000)
    parser.add_argument("--model-mb", type=int, default=1000)
    parser.add_argument("--remote", help="folder or address, empty; otherwise a temporary folder")
    parser.add_argument("--dir", type=Path, help="where to work (about 7 GB)")
    options = parser.parse_args()
    print_machine()
    table = Table(
        f"{options.faces} faces and a model of {options.model_mb} MB",
        ["step", "seconds", "processor seconds", "MB moved", "MB/s", "objects written",
         "objects on the remote"],
    )  # fmt: skip
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        here = Path(folder)
        workspace = make_workspace(
            here / "workspace", n_faces=options.faces, model_mb=options.model_mb
        )
        time.sleep(2.5)  # files as old as the clock's grain are read again
        remote = Remote.open(options.remote or here / "shelf")
        print(f"disk: {disk_rate(here):.0f} MB/s (256 MB written, synced, read and hashed)")

        def step(name: str, work: Callable[[], T], figures: Callable[[T], tuple[int, int]]) -> None:
            wall, cpu = time.perf_counter(), time.process_time()
            report = work()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            n_bytes, n_objects = figures(report)
            table.add(
                name, wall, cpu, n_bytes / 1e6, n_bytes / 1e6 / wall, n_objects, _objects(remote)
            )
            print(f"{name}: {wall:.1f} s", flush=True)

        step("first push", lambda: push(workspace, remote),
             lambda done: (done.bytes_copied, done.objects_copied))  # fmt: skip
        step("push, nothing new", lambda: push(workspace, remote),
             lambda done: (done.bytes_copied, done.objects_copied))  # fmt: skip
        change_faces(workspace.root, 100)
        write_checkpoint(workspace.root, 20_000, options.model_mb)
        step("push, 100 faces and a checkpoint", lambda: push(workspace, remote),
             lambda done: (done.bytes_copied, done.objects_copied))  # fmt: skip
        step("pull on an empty machine", lambda: pull(remote, here / "other"),
             lambda done: (done.bytes_read, 0))  # fmt: skip
        step("pull, nothing new", lambda: pull(remote, here / "other"),
             lambda done: (done.bytes_read, 0))  # fmt: skip
        print(status(remote).summary())
        shutil.rmtree(here / "other")
    table.print()
    print(f"peak memory: {peak_memory_mb():.0f} MB")


def _objects(remote: Remote) -> int:
    """Files on the remote: objects and lists of copies."""
    return sum(len(remote.files_below(folder)) for folder in (*OBJECT_FOLDERS, "generations"))


if __name__ == "__main__":
    main()
