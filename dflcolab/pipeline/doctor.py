# pyright: strict
"""`doctor`: where this runs, what the machine has, what is wrong, and a file's signed provenance."""

from __future__ import annotations

import importlib
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dflcolab.pipeline.doctor_workspace import WorkspaceView, look_at_workspace
from dflcolab.progress import Progress
from dflcolab.runtime.advice import runtime_advice
from dflcolab.runtime.description import Runtime, find_runtime
from dflcolab.runtime.newest import PACKAGE_INDEX, NewestVersion
from dflcolab.runtime.rules import platform_rules
from dflcolab.words import as_size
from dflcolab.workspace.config import DoctorConfig

_MODULES = {
    "numpy": "numpy",
    "opencv-python": "cv2",
    "av": "av",
    "c2pa-python": "c2pa",
    "cryptography": "cryptography",
    "fsspec": "fsspec",
    "safetensors": "safetensors",
    "scipy": "scipy",
    "tomlkit": "tomlkit",
    "ipywidgets": "ipywidgets",
}
_WIDTH = 100
_LABEL_WIDTH = 12


@dataclass(frozen=True)
class DoctorReport:
    """What `doctor` found.

    Attributes:
        runtime: Place, versions and machine.
        gpu_works: The GPU computed in a trial; None if there is none or it was not asked.
        newer_version: Version of this package that is newer; None if there is none, or no answer.
        platform_rules: What the machine's operator allows; "" where there is none but the user.
        workspace: What the workspace holds, what room it will need.
        provenance: What the signed note of the given file says; None without a file or a note.
        advice: What to do, one sentence each; empty if all is well.
    """

    runtime: Runtime
    gpu_works: bool | None
    newer_version: str | None
    platform_rules: str
    workspace: WorkspaceView
    provenance: Mapping[str, object] | None
    advice: tuple[str, ...]

    def summary(self) -> str:
        """The report as a page of text: what is there, then what to do."""
        lines = [
            line for label, text in self._rows() if text for line in _row(label, text).splitlines()
        ]
        if self.platform_rules:
            lines += ["", *textwrap.wrap(self.platform_rules, _WIDTH)]
        if not self.advice:
            return "\n".join([*lines, "", "Nothing is wrong."])
        lines += ["", "What to do:"]
        # Commands to copy stay in one piece, so nothing is wrapped here.
        lines += [f"{number:2}. {sentence}" for number, sentence in enumerate(self.advice, 1)]
        return "\n".join(lines)

    def _rows(self) -> Iterator[tuple[str, str]]:
        where, versions, machine = self.runtime.where, self.runtime.versions, self.runtime.machine
        yield "dflcolab", f"{versions.package} on Python {versions.python}"
        drive = "; Google Drive can be mounted" if where.can_mount_drive else ""
        yield "Place", where.place.value + drive
        if where.in_notebook:
            widgets = where.widgets_generation or "missing"
            yield "Notebook", f"ipykernel {where.kernel_generation}, ipywidgets {widgets}"
        works = {True: "; it computes", False: "; it does not compute", None: ""}[self.gpu_works]
        yield "GPU", (machine.gpu_names() or "none") + works
        memory = f"{as_size(machine.free_memory_bytes)} of {as_size(machine.memory_bytes)} free"
        yield "Memory", f"{memory}; {machine.cores} cores"
        yield "Disk", f"{as_size(machine.free_disk_bytes)} of {as_size(machine.disk_bytes)} free"
        yield "Workspace", self.workspace.sentence
        yield "Still needs", self.workspace.needs_sentence()
        yield (
            "Networks",
            _listed({"TensorFlow": versions.tensorflow, **_of(versions.installed, "keras")}),
        )
        yield (
            "Libraries",
            _listed({"OpenCV": versions.opencv, **_of(versions.installed, *_MODULES, "protobuf")}),
        )
        yield "FFmpeg", _listed(versions.ffmpeg)
        for key, value in (self.provenance or {}).items():
            yield key.replace("_", " ").capitalize(), str(value)


def doctor(
    root: Path,
    config: DoctorConfig,
    *,
    progress: Progress | None = None,
    runtime: Runtime | None = None,
    index: str = PACKAGE_INDEX,
) -> DoctorReport:
    """Look at the machine, the libraries, the workspace `root` and, if named, a file.

    Args:
        root: The workspace; there may be none.
        config: What to look at.
        progress: Not used; it takes seconds and has no parts to count.
        runtime: The surroundings; found out when None.
        index: Address where the newest version of this package is asked for.

    Raises:
        MediaError: The named file cannot be read.
    """
    del progress
    newest = NewestVersion(index) if config.online else None
    runtime = runtime or find_runtime(root)
    advice = [*_that_do_not_load(runtime), *runtime_advice(runtime)]
    works = _try_gpu(runtime, advice) if config.gpu else None
    workspace = look_at_workspace(root, runtime)
    advice += workspace.advice
    provenance = None if config.file is None else _provenance(config.file)
    newer = newest.newer_than(runtime.versions.package) if newest else None
    if newer:
        advice.append(_upgrade(runtime, newer))
    return DoctorReport(
        runtime=runtime,
        gpu_works=works,
        newer_version=newer,
        platform_rules=platform_rules(runtime.where),
        workspace=workspace,
        provenance=provenance,
        advice=tuple(advice),
    )


def _that_do_not_load(runtime: Runtime) -> list[str]:
    """A sentence for every library that fails when it is used."""
    found: list[str] = []
    for distribution, module in _MODULES.items():
        if any(unmet.requirement.startswith(distribution) for unmet in runtime.versions.unmet):
            continue  # said with the version that is needed
        try:
            importlib.import_module(module)
        except (ImportError, OSError, AttributeError) as error:
            found.append(_reinstall(distribution, error))
    return found


def _reinstall(distribution: str, error: Exception) -> str:
    if distribution == "opencv-python" and "lib" in str(error):
        distribution = "opencv-python-headless"
    return (
        f"{distribution} does not load ({error}); run "
        f"`pip install --force-reinstall --no-deps {distribution}`."
    )


def _try_gpu(runtime: Runtime, advice: list[str]) -> bool | None:
    """Let TensorFlow compute on the GPUs; None if there are none to compute on."""
    try:
        from dflcolab.engine.gpu_trial import try_gpus
    except ImportError as error:
        advice.append(f"TensorFlow does not load ({error}); run `pip install tensorflow`.")
        return None
    trial = try_gpus()
    if trial.problem:
        advice.append(trial.problem)
    if trial.gpus:
        return trial.works
    if not runtime.machine.gpus:
        return None
    own_image = runtime.where.managed or runtime.where.colab_kernel
    remedy = (
        "connect to a new machine"
        if own_image
        else 'run `pip install "tensorflow[and-cuda]"`, or update the driver'
    )
    advice.append(
        f"TensorFlow {trial.tensorflow} does not see {runtime.machine.gpu_names()}: it was built "
        f"without CUDA, or the driver is too old for it; {remedy}."
    )
    return False


def _upgrade(runtime: Runtime, newer: str) -> str:
    # On Colab an upgrade must not replace what the image brings.
    no_deps = "--no-deps " if runtime.where.colab_kernel or runtime.where.managed else ""
    return (
        f"dflcolab {newer} is available (this is {runtime.versions.package}); run "
        f"`pip install --upgrade {no_deps}dflcolab`."
    )


def _provenance(path: Path) -> dict[str, object]:
    from dflcolab.config import to_plain
    from dflcolab.media.provenance import read_provenance

    found = read_provenance(path)
    if found is None:
        return {"file": str(path), "state": "no signed note"}
    return {"file": str(path), **to_plain(found)}


def _row(label: str, text: str) -> str:
    if "`" in text:  # a command to copy stays in one piece
        return f"{label:<{_LABEL_WIDTH}}{text}"
    indent = " " * _LABEL_WIDTH
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=f"{label:<{_LABEL_WIDTH}}",
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _of(installed: Mapping[str, str], *names: str) -> dict[str, str | None]:
    return {name: installed.get(name) for name in names if name != "opencv-python"}


def _listed(versions: Mapping[str, str | None]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items() if version)
