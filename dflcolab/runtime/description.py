# pyright: strict
"""The one description of where the program runs, with what, on what; found out once, handed on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dflcolab.runtime.machine import Machine, look_at_machine
from dflcolab.runtime.versions import Versions, read_versions
from dflcolab.runtime.where import Where, find_out


@dataclass(frozen=True)
class Runtime:
    """Everything about the surroundings that anything here depends on.

    A snapshot: free memory and free disk are those of the moment when it was made.

    Attributes:
        where: Kind of place, and the generations of its kernel and widgets.
        versions: Python, libraries, this package.
        machine: Cores, memory, disk, GPUs.
    """

    where: Where
    versions: Versions
    machine: Machine

    def sentences(self) -> str:
        """Place and machine for the user, one line each."""
        return f"{self.where.sentence()}\n{self.machine.sentence()}"


def find_runtime(folder: Path | None = None, *, where: Where | None = None) -> Runtime:
    """Ask the machine; takes a moment, since the driver is asked for its GPUs.

    Args:
        folder: Where the workspace lies or will lie; the working directory when None.
        where: The kind of place, if it is known already.
    """
    return Runtime(where or find_out(), read_versions(), look_at_machine(folder))
