"""`doctor`: where this runs, what the machine has, what is wrong, and a file's signed provenance."""

from __future__ import annotations

import importlib
import importlib.metadata
import platform
from dataclasses import dataclass
from pathlib import Path

from dflcolab import __version__
from dflcolab.errors import DFLColabError
from dflcolab.files import list_files
from dflcolab.progress import Progress
from dflcolab.runtime.machine import Machine, advice, look_at_machine
from dflcolab.runtime.where import find_out
from dflcolab.workspace.config import DoctorConfig
from dflcolab.workspace.workspace import Side, Workspace

_LIBRARIES = {
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
_TOO_MANY_FILES = 1000


@dataclass(frozen=True)
class DoctorReport:
    """What `doctor` found.

    Attributes:
        version: Version of this package.
        python: Version of Python.
        place: Where this runs.
        machine: Cores, memory, disk, GPUs.
        tensorflow: Version of TensorFlow; None if it was not asked.
        gpu_works: The GPU computed in a trial; None if there is none or it was not asked.
        libraries: Versions of the libraries in use; None for one that does not load.
        workspace: What the workspace holds, one sentence.
        provenance: What the signed note of the given file says; None without a file or a note.
        advice: What to do, one sentence each; empty if all is well.
    """

    version: str
    python: str
    place: str
    machine: Machine
    tensorflow: str | None
    gpu_works: bool | None
    libraries: dict[str, str | None]
    workspace: str
    provenance: dict[str, object] | None
    advice: tuple[str, ...]

    def summary(self) -> str:
        """The report in a few lines."""
        loaded = ", ".join(
            f"{name} {version}" for name, version in self.libraries.items() if version
        )
        lines = [
            f"dflcolab {self.version} on Python {self.python}, {self.place}.",
            self.machine.sentence(),
            f"TensorFlow {self.tensorflow}." if self.tensorflow else "",
            f"Libraries: {loaded}.",
            self.workspace,
        ]
        if self.provenance is not None:
            lines += [f"{key.replace('_', ' ')}: {value}" for key, value in self.provenance.items()]
        lines += [f"Advice: {sentence}" for sentence in self.advice] or ["Nothing is wrong."]
        return "\n".join(line for line in lines if line)


def doctor(root: Path, config: DoctorConfig, *, progress: Progress | None = None) -> DoctorReport:
    """Look at the machine, the libraries, the workspace `root` and, if named, a file.

    Raises:
        MediaError: The named file cannot be read.
    """
    del progress  # takes seconds and has no parts to count
    where = find_out()
    machine = look_at_machine(root)
    todo = advice(machine)
    libraries = {name: _loads(name, module, todo) for name, module in _LIBRARIES.items()}
    tensorflow, works = _try_gpu(todo) if config.gpu else (None, None)
    state = _workspace_state(root, todo)
    provenance = None if config.file is None else _provenance(config.file)
    return DoctorReport(
        version=__version__,
        python=platform.python_version(),
        place=where.place.value,
        machine=machine,
        tensorflow=tensorflow,
        gpu_works=works,
        libraries=libraries,
        workspace=state,
        provenance=provenance,
        advice=tuple(todo),
    )


def _loads(distribution: str, module: str, todo: list[str]) -> str | None:
    """Version of a library after importing it."""
    try:
        loaded = importlib.import_module(module)
    except ImportError as error:
        todo.append(f"{distribution} does not load ({error}); run `pip install {distribution}`.")
        return None
    try:
        version = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        # Another build of the same module, such as opencv-python-headless.
        return str(getattr(loaded, "__version__", "present"))
    running = getattr(loaded, "__version__", version)
    if distribution == "numpy" and running != version:
        todo.append(
            f"numpy {running} is running but {version} is installed; restart the runtime, "
            "then run all cells again."
        )
    return version


def _try_gpu(todo: list[str]) -> tuple[str | None, bool | None]:
    try:
        from dflcolab.engine.gpu_trial import try_gpus
    except ImportError as error:
        todo.append(f"TensorFlow does not load ({error}); run `pip install tensorflow`.")
        return None, None
    trial = try_gpus()
    if trial.problem:
        todo.append(trial.problem)
    return trial.tensorflow, trial.works if trial.gpus else None


def _workspace_state(root: Path, todo: list[str]) -> str:
    """One sentence about the workspace."""
    try:
        workspace = Workspace.open(root)
        settings = workspace.settings
        parts: list[str] = []
        for side in Side:
            faces = list_files(workspace.aligned_dir(side), (".jpg", ".pak"))
            parts.append(f"{side.value}: {len(workspace.videos(side))} videos, {len(faces)} faces")
            if len(faces) > _TOO_MANY_FILES and str(root.resolve()).startswith("/content/drive"):
                todo.append(
                    f"{workspace.aligned_dir(side)} holds {len(faces)} files on Google Drive, which "
                    f"Drive does not bear; run `dflcolab pack -w {root} --side {side.value}`."
                )
    except DFLColabError as error:
        return f"No workspace: {error}"
    missing = [side for side, rights in settings.rights.items() if rights is None]
    if missing:
        todo.append(
            f"The rights of {' and '.join(missing)} are not recorded, so merge will refuse; run "
            f"`dflcolab init -w {root} --src-rights KIND --dst-rights KIND`."
        )
    return f"Workspace {settings.name}: {'; '.join(parts)}."


def _provenance(path: Path) -> dict[str, object]:
    from dflcolab.config import to_plain
    from dflcolab.media.provenance import read_provenance

    found = read_provenance(path)
    if found is None:
        return {"file": str(path), "state": "no signed note"}
    return {"file": str(path), **to_plain(found)}
