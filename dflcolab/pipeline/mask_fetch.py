"""`mask fetch`: the labelled faces of a side, copied aside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dflcolab.errors import ConfigError
from dflcolab.faceset.face_source import open_faces
from dflcolab.files import storage_errors, write_bytes
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Side, Workspace
from dflcolab.xseg.config import MaskConfig


@dataclass(frozen=True)
class FetchReport:
    """What `mask fetch` copied.

    Attributes:
        side: Whose faces.
        faces: Faces that there are.
        copied: Of these, labelled ones, which lie in `folder` now.
        folder: Where.
        problems: Files that could not be read, one sentence each.
    """

    side: str
    faces: int
    copied: int
    folder: Path
    problems: tuple[str, ...]

    def summary(self) -> str:
        """The report in a few lines."""
        first = f"{self.copied} of {self.faces} faces of {self.side} are labelled; copies of them "
        return "\n".join([f"{first}are in {self.folder}.", *self.problems])


def fetch_labelled(
    workspace: Workspace, config: MaskConfig, *, progress: Progress | None = None
) -> FetchReport:
    """Copy the faces with outlines to another folder; nothing is taken away.

    A labelled faceset can be kept for other projects, and named to `mask train --faceset`.

    Raises:
        ConfigError: The folder is the one with the faces of this or the other side.
        FacesetError: There are no faces.
        StorageError: The disk is full or read-only.
        Interrupted: The user asked to stop; run it again to go on.
    """
    progress = progress or Progress()
    assert config.side is not None
    source = workspace.aligned_dir(config.side)
    folder = config.out or source.with_name(f"{source.name}_xseg")
    if folder.resolve() in {workspace.aligned_dir(side).resolve() for side in Side}:
        raise ConfigError(f"{folder} holds faces themselves; name another folder with --out.")
    copied = 0
    problems: list[str] = []
    with (
        open_faces(source, progress=progress) as faces,
        progress.task("Copying labelled faces", total=len(faces), unit="faces") as task,
    ):
        problems += faces.unused
        for path in faces.paths:
            progress.raise_if_stopped()
            task.advance()
            file = faces.read(path)
            if file.problem:
                problems.append(file.problem)
            elif file.record is not None and file.record.polygons:
                target = folder / faces.name(path)
                with storage_errors(target):
                    target.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(target, file.data, durable=False)
                copied += 1
    return FetchReport(config.side.value, len(faces), copied, folder, tuple(problems))
