"""Faces per second of every kind of sorting, of reading, writing and packing, and how time grows.

Facesets of two sizes are made from the demo's faces (see `facesets`). "A core second" counts
processor time of all threads, which hardly rises when others load the machine. DeepFaceLab's rates
are images per second and core (ARCHITECTURE, section 11); where a range was measured its upper end
stands here, and its `hist`, `hist-dissim` are those of small sets, since they are quadratic.

Growth is the exponent p of time ~ faces^p between the two sizes: 1 is linear, 2 quadratic.

Kinds that run a network take about 10 ms a face: `--networks` measures them too.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.facesets import make_faceset
from benchmarks.machine import Table, peak_memory_mb, print_machine
from dflcolab.faceset.config import SortKind
from dflcolab.faceset.face_files import (
    FaceFile,
    for_each_face,
    read_face_file,
    read_face_head,
)
from dflcolab.faceset.sort import sort_faces
from dflcolab.formats.dfl_jpeg import read_face, write_face
from dflcolab.formats.faceset_pak import PakItem, verify_pak, write_pak
from dflcolab.progress import Progress

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

Job = Callable[[Sequence[Path]], object]


def jobs(*, networks: bool) -> dict[str, Job]:
    """What is measured, by name."""
    found: dict[str, Job] = {
        "read heads": lambda paths: _each(paths, lambda face: face.size, heads=True),
        "read files": lambda paths: _each(paths, lambda face: face.size),
        "decode": lambda paths: _each(paths, lambda face: face.decode().shape),
        "write": _write,
        "pack and verify": _pack,
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


def _sort(kind: SortKind, **options: object) -> Job:
    return lambda paths: sort_faces(paths, kind, **options)  # type: ignore[arg-type]


def _one_face(paths: Sequence[Path]) -> None:
    # It goes by names of the form <frame>_<number> and opens no file.
    sort_faces([path.with_name(f"{path.stem}_0.jpg") for path in paths], SortKind.ONEFACE)


def measured(job: Job, paths: Sequence[Path]) -> tuple[float, float]:
    """Seconds on the clock and of processor time, also of processes that ended meanwhile."""
    wall, cpu = time.perf_counter(), sum(os.times()[:4])
    job(paths)
    return time.perf_counter() - wall, sum(os.times()[:4]) - cpu


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs=2, default=[1000, 10_000])
    parser.add_argument("--size", type=int, default=256, help="side of the pictures in pixels")
    parser.add_argument("--kinds", nargs="+", help="only these")
    parser.add_argument("--networks", action="store_true", help="kinds that run a network, too")
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
        for name, job in jobs(networks=options.networks or bool(options.kinds)).items():
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
