"""Faces per second of every kind of sorting, of reading, writing, renaming and packing, and growth.

Facesets of two sizes are made from the demo's faces (see `facesets`). "A core second" counts
processor time of all threads, which hardly rises when others load the machine. DeepFaceLab's rates
are images per second and core (ARCHITECTURE, section 11); where a range was measured its upper end
stands here, and its `hist`, `hist-dissim` are those of small sets, since they are quadratic.

Growth is the exponent p of time ~ faces^p between the two sizes: 1 is linear, 2 quadratic.

Kinds that run a network take about 10 ms of a processor a face: `--no-networks` leaves them out.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.facesets import make_faceset
from benchmarks.machine import Table, peak_memory_mb, print_machine
from dflcolab.faceset.config import PackConfig, SortKind, UnpackConfig
from dflcolab.faceset.face_files import (
    FaceFile,
    for_each_face,
    read_face_file,
    read_face_head,
)
from dflcolab.faceset.renaming import rename_all
from dflcolab.faceset.sort import sort_faces
from dflcolab.files import list_files
from dflcolab.formats.dfl_jpeg import read_face, write_face
from dflcolab.formats.faceset_pak import PAK_NAME, PakItem, verify_pak, write_pak
from dflcolab.formats.pak_append import append_to_pak
from dflcolab.pipeline.init import init
from dflcolab.pipeline.pack import pack, unpack
from dflcolab.progress import Progress
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.workspace import Side, Workspace

DFL_RATES = {
    "blur": 1.9,
    "motion-blur": 81,
    "face-yaw": 460,
    "hist": 354,
    "hist-dissim": 152,
    "brightness": 530,
    "hue": 530,
    "black": 530,
}
NETWORKS = (SortKind.IDENTITY, SortKind.LANDMARK_QUALITY)

Work = Callable[[Sequence[Path]], object]


@dataclass(frozen=True)
class Job:
    """Work on a faceset in a folder of its own; `prepare` fills that and is not measured."""

    prepare: Callable[[Sequence[Path], Path], object]
    work: Callable[[Path], object]


def jobs(*, networks: bool) -> dict[str, Work | Job]:
    """What is measured, by name."""
    found: dict[str, Work | Job] = {
        "read heads": lambda paths: _each(paths, lambda face: face.size, heads=True),
        "read files": lambda paths: _each(paths, lambda face: face.size),
        "decode": lambda paths: _each(paths, lambda face: face.decode().shape),
        "write": _write,
        "rename all": Job(_copies, _rename),
        "pack and verify": _pack,
        "append a tenth to a pack": Job(_packed, _append),
        "unpack": Job(_packed_workspace, _unpack),
    }
    for kind in SortKind:
        if kind not in (*NETWORKS, SortKind.ONEFACE):
            found[kind.value] = _sort(kind)
    found["absdiff, dissimilar"] = _sort(SortKind.ABSDIFF, dissimilar=True)
    found["oneface"] = _one_face
    if networks:
        from dflcolab.detection.embedding import embed_face
        from dflcolab.detection.landmark_check import judge_landmarks

        found["identity"] = _sort(SortKind.IDENTITY, embed=embed_face)
        found["landmark-quality"] = _sort(SortKind.LANDMARK_QUALITY, judge=judge_landmarks)
    return found


def _each(
    paths: Sequence[Path], work: Callable[[FaceFile], object], *, heads: bool = False
) -> None:
    read = read_face_head if heads else read_face_file
    for _ in for_each_face(paths, work, progress=Progress(), title="", read=read):
        pass


def _write(paths: Sequence[Path]) -> None:
    """Each face again with its metadata, as `extract` writes it: whole or not at all."""
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            face = read_face(path)
            write_face(Path(folder) / path.name, face.jpeg(), face.record)


def _pack(paths: Sequence[Path]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        items = [PakItem(path.name, read_face(path)) for path in paths]
        pak = Path(folder) / "faceset.pak"
        write_pak(pak, items)
        verify_pak(pak, items, lambda item: item.face.jpeg())


def _copies(paths: Sequence[Path], folder: Path) -> None:
    for path in paths:
        shutil.copyfile(path, folder / path.name)


def _rename(folder: Path) -> None:
    names = [path.name for path in list_files(folder, (".jpg",))]
    rename_all(folder, dict(zip(names, reversed(names), strict=True)))


def _packed(paths: Sequence[Path], folder: Path) -> None:
    write_pak(folder / PAK_NAME, [PakItem(path.name, read_face(path)) for path in paths])
    for path in paths[: len(paths) // 10]:
        shutil.copyfile(path, folder / f"new_{path.name}")


def _append(folder: Path) -> None:
    new = list_files(folder, (".jpg",))
    append_to_pak(folder / PAK_NAME, [PakItem(path.name, read_face(path)) for path in new])


def _packed_workspace(paths: Sequence[Path], folder: Path) -> None:
    init(folder / "workspace", InitConfig())
    workspace = Workspace.open(folder / "workspace")
    workspace.aligned_dir(Side.SRC).mkdir(parents=True, exist_ok=True)
    _copies(paths, workspace.aligned_dir(Side.SRC))
    pack(workspace, PackConfig(side=Side.SRC))


def _unpack(folder: Path) -> None:
    unpack(Workspace.open(folder / "workspace"), UnpackConfig(side=Side.SRC))


def _sort(kind: SortKind, **options: object) -> Work:
    return lambda paths: sort_faces(paths, kind, **options)  # type: ignore[arg-type]


def _one_face(paths: Sequence[Path]) -> None:
    # It goes by names of the form <frame>_<number> and opens no file.
    sort_faces([path.with_name(f"{path.stem}_0.jpg") for path in paths], SortKind.ONEFACE)


def measured(job: Work | Job, paths: Sequence[Path]) -> tuple[float, float]:
    """Seconds on the clock and of processor time, also of processes that ended meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(job, Job):
            job.prepare(paths, Path(folder))
        wall, cpu = time.perf_counter(), sum(os.times()[:4])
        if isinstance(job, Job):
            job.work(Path(folder))
        else:
            job(paths)
        spent = sum(os.times()[:4]) - cpu
        return time.perf_counter() - wall, max(spent, 0.01)  # the system counts in such steps


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs=2, default=[1000, 10_000])
    parser.add_argument("--size", type=int, default=256, help="side of the pictures in pixels")
    parser.add_argument("--kinds", nargs="+", help="only these")
    parser.add_argument(
        "--networks", action=argparse.BooleanOptionalAction, default=True,
        help="kinds that run a network, too",
    )  # fmt: skip
    parser.add_argument("--faces", type=Path, help="keep the facesets in this folder")
    options = parser.parse_args()
    print_machine()
    few, many = options.counts
    table = Table(
        f"Sorting faces of {options.size} pixels",
        ["kind", f"{few}: faces/s", "a core second", f"{many}: seconds", "faces/s",
         "a core second", "growth", "times DFL (a core)"],
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        root = options.faces or Path(folder)
        sets = [_faceset(root / f"{count}_{options.size}", count, options.size)
                for count in (few, many)]  # fmt: skip
        for name, job in jobs(networks=options.networks).items():
            if options.kinds and name.split(",")[0] not in options.kinds:
                continue
            (wall_few, cpu_few), (wall, cpu) = (measured(job, paths) for paths in sets)
            dfl = DFL_RATES.get(name)
            table.add(
                name, few / wall_few, few / cpu_few, wall, many / wall, many / cpu,
                math.log(cpu / cpu_few) / math.log(many / few),
                many / cpu / dfl if dfl else "",
            )  # fmt: skip
            print(f"{name}: {wall_few:.1f} s, {wall:.1f} s", flush=True)
    table.print()
    print(f"peak memory: {peak_memory_mb():.0f} MB")


def _faceset(folder: Path, count: int, size: int) -> list[Path]:
    found = sorted(folder.glob("*.jpg")) if folder.is_dir() else []
    return found if len(found) == count else make_faceset(folder, count, size)


if __name__ == "__main__":
    main()
