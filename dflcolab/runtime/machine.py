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
        free_disk_bytes: Free space where the workspace lies.
        gpus: GPUs that the driver reports.
    """

    cores: int
    memory_bytes: int
    free_memory_bytes: int
    free_disk_bytes: int
    gpus: tuple[Gpu, ...]

    def sentence(self) -> str:
        """The machine in one sentence for the user."""
        gpu = ", ".join(f"{g.name} with {g.memory_mib / 1024:.1f} GB" for g in self.gpus)
        return (
            f"{gpu or 'No GPU'}; {self.cores} cores, {self.memory_bytes / 2**30:.1f} GB of memory, "
            f"{self.free_disk_bytes / 2**30:.0f} GB of disk free."
        )


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
    return Machine(
        cores=len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        memory_bytes=memory.total,
        free_memory_bytes=memory.available,
        free_disk_bytes=shutil.disk_usage(place).free,
        gpus=tuple(_gpus(run(_QUERY))),
    )


def _gpus(table: str) -> list[Gpu]:
    found: list[Gpu] = []
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        try:
            found.append(Gpu(cells[0], int(float(cells[1])), float(cells[2])))
        except (IndexError, ValueError):
            continue
    return found


def advice(machine: Machine) -> list[str]:
    """What the user should know about this machine before starting, one sentence each."""
    found: list[str] = []
    if not machine.gpus:
        found.append(
            "There is no GPU: extracting and merging work well, training is slow; "
            "on Colab choose Runtime → Change runtime type → T4."
        )
    found += [
        f"{gpu.name} is too new for some TensorFlow versions; if the trial computation fails, choose "
        "a T4, L4, A100 or H100."
        for gpu in machine.gpus
        if gpu.compute_capability >= 12.0
    ]
    if machine.free_disk_bytes < 5 << 30:
        found.append(
            f"Only {machine.free_disk_bytes / 2**30:.1f} GB of disk are free; frames and models "
            "need room, so delete what is not needed."
        )
    if machine.free_memory_bytes < 2 << 30:
        found.append(
            f"Only {machine.free_memory_bytes / 2**30:.1f} GB of memory are free; close other "
            "notebooks or choose a small model."
        )
    return found
