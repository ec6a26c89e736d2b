# pyright: strict
"""Where the program runs: hosted Colab, a local runtime, Kaggle, plain Jupyter, a terminal.

Neither `import google.colab` nor an importable IPython proves anything: the first works in Google's
container image anywhere, the second on any workstation. The tests here are those that do.
"""

from __future__ import annotations

import enum
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_HOSTED_MARK = "/var/colab/hostname"


class Place(enum.StrEnum):
    """Kinds of place, as far as they change what is possible or allowed."""

    COLAB_HOSTED = "hosted Colab"
    COLAB_ENTERPRISE = "Colab Enterprise"
    COLAB_LOCAL = "Colab with a local runtime"
    KAGGLE = "Kaggle"
    JUPYTER = "Jupyter"
    TERMINAL = "terminal"


@dataclass(frozen=True)
class Where:
    """The answer; everything that depends on the place takes it as an argument.

    Attributes:
        place: The kind of place.
        can_mount_drive: Google Drive can be mounted as a folder: on hosted Colab, and there in the
            kernel only, not in a command that it starts.
        colab_kernel: The kernel is Colab's own, whoever's machine it runs on.
        kernel_generation: Major version of ipykernel; None outside of notebooks.
        widgets_generation: Major version of ipywidgets; None if it is missing.
    """

    place: Place
    can_mount_drive: bool
    colab_kernel: bool
    kernel_generation: int | None
    widgets_generation: int | None

    @property
    def managed(self) -> bool:
        """True where the operator of the machine restricts what may run."""
        return self.place in (Place.COLAB_HOSTED, Place.COLAB_ENTERPRISE, Place.KAGGLE)

    @property
    def in_notebook(self) -> bool:
        """True in a notebook's kernel; False in a terminal and in commands that a cell starts."""
        return self.kernel_generation is not None

    def sentence(self) -> str:
        """The place in one sentence for the user."""
        drive = "Google Drive can be mounted." if self.can_mount_drive else "Files stay in folders."
        return f"This is {self.place.value}. {drive}"


def _shell_module() -> str | None:
    """Module of the running IPython shell's class; None without a kernel."""
    interactive = sys.modules.get("IPython")
    if interactive is None:
        return None
    shell: Any = interactive.get_ipython()
    return None if shell is None or not hasattr(shell, "kernel") else type(shell).__module__


def _has_module(name: str) -> bool:
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


@dataclass(frozen=True)
class Probes:
    """How the machine is asked; tests give their own answers.

    Attributes:
        exists: Is there such a path?
        environment: Environment variables.
        shell_module: Module of the IPython shell's class; None without a kernel.
        has_module: Can a module be imported?
        version: Version of an installed distribution, None if it is missing.
    """

    exists: Callable[[str], bool] = os.path.exists
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    shell_module: Callable[[], str | None] = _shell_module
    has_module: Callable[[str], bool] = _has_module
    version: Callable[[str], str | None] = _version


def find_out(probes: Probes | None = None) -> Where:
    """Ask the machine where this is."""
    probes = probes or Probes()
    shell = probes.shell_module()
    enterprise = probes.environment.get("VERTEX_PRODUCT") == "COLAB_ENTERPRISE"
    hosted = probes.exists(_HOSTED_MARK) and not enterprise
    if probes.environment.get("KAGGLE_KERNEL_RUN_TYPE"):
        place = Place.KAGGLE
    elif hosted:
        place = Place.COLAB_HOSTED
    elif enterprise:
        place = Place.COLAB_ENTERPRISE
    elif shell == "google.colab._shell" or (shell and probes.has_module("google.colab")):
        place = Place.COLAB_LOCAL
    else:
        place = Place.JUPYTER if shell else Place.TERMINAL
    return Where(
        place=place,
        can_mount_drive=place is Place.COLAB_HOSTED
        and bool(shell)
        and probes.has_module("google.colab"),
        colab_kernel=shell == "google.colab._shell",
        kernel_generation=_major(probes.version("ipykernel")) if shell else None,
        widgets_generation=_major(probes.version("ipywidgets")),
    )


def _major(version: str | None) -> int | None:
    head = (version or "").split(".")[0]
    return int(head) if head.isdigit() else None
