# pyright: strict
"""What the machine has: cores, memory, disk, GPU. Nothing is assumed, everything is asked."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_QUERY = (
    "nvidia-smi",
    "--query-gpu=name,memory.total,compute_cap",
    "--format=csv,noheader,nounits",
)
_MEMORY_QUERY = (
    "nvidia-smi",
    "--query-gpu=memory.used,memory.total",
    "--format=csv,noheader,nounits",
)


@dataclass(frozen=True)
class Gpu:
    """One GPU: its name, memory in MiB, and compute capability (7.5 is a T4)."""

    name: str
    memory_mib: int
    compute_capability: float


@dataclass(frozen=True)
class Machine:
    """Amounts, as far as they can be asked.

    Attributes:
        cores: Processor cores this process may use.
        memory_bytes: Memory of the machine.
        free_memory_bytes: What is available now.
        disk_bytes: Size of the disk where the workspace lies.
        free_disk_bytes: Free space there.
        gpus: GPUs that the driver reports.
    """

    cores: int
    memory_bytes: int
    free_memory_bytes: int
    disk_bytes: int
    free_disk_bytes: int
    gpus: tuple[Gpu, ...]

    def sentence(self) -> str:
        """The machine in one sentence for the user."""
        return (
            f"{self.gpu_names() or 'No GPU'}; {self.cores} cores, "
            f"{self.memory_bytes / 2**30:.1f} GB of memory, "
            f"{self.free_disk_bytes / 2**30:.0f} GB of disk free."
        )

    def gpu_names(self) -> str:
        """The GPUs with their memory; "" without any."""
        return ", ".join(f"{gpu.name} with {gpu.memory_mib / 1024:.1f} GB" for gpu in self.gpus)


def _run(command: Sequence[str]) -> str:
    """Output of a command; "" if it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def look_at_machine(
    folder: Path | None = None, *, run: Callable[[Sequence[str]], str] = _run
) -> Machine:
    """Ask the machine.

    Args:
        folder: Where the workspace will lie; the working directory when None.
        run: Runs a command and gives its output; tests answer themselves.
    """
    import psutil

    place = (folder or Path.cwd()).absolute()
    while not place.exists():
        place = place.parent
    memory = psutil.virtual_memory()
    disk = shutil.disk_usage(place)
    return Machine(
        cores=len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        memory_bytes=memory.total,
        free_memory_bytes=memory.available,
        disk_bytes=disk.total,
        free_disk_bytes=disk.free,
        gpus=tuple(_gpus(run(_QUERY))),
    )


def gpu_memory(*, run: Callable[[Sequence[str]], str] = _run) -> tuple[int, int] | None:
    """Memory of all GPUs together in MiB, used (by all programs) and whole; None without any.

    Args:
        run: Runs a command and gives its output; tests answer themselves.
    """
    try:
        rows = [list(map(int, line.split(","))) for line in run(_MEMORY_QUERY).splitlines()]
        return (sum(row[0] for row in rows), sum(row[1] for row in rows)) if rows else None
    except (ValueError, IndexError):
        return None


def _gpus(table: str) -> list[Gpu]:
    found: list[Gpu] = []
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        try:
            found.append(Gpu(cells[0], int(float(cells[1])), float(cells[2])))
        except (IndexError, ValueError):
            continue
    return found
