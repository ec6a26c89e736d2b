"""`resize`: the faces of one side at another size, or as another face type."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dflcolab.errors import FacesetError
from dflcolab.extraction.journal import FILE_NAME
from dflcolab.extraction.present_faces import note_format
from dflcolab.faceset.face_files import loose_faces
from dflcolab.faceset.folder_lock import alone_with_faces
from dflcolab.faceset.renaming import recover
from dflcolab.faceset.resize import resize_faces
from dflcolab.faceset.resize_undo import undo_resize
from dflcolab.faceset.tools_config import ResizeConfig
from dflcolab.progress import Progress
from dflcolab.words import counted
from dflcolab.workspace.trash import Trash
from dflcolab.workspace.workspace import Workspace

_USUAL_SIZE = 512


@dataclass(frozen=True)
class ResizeReport:
    """What `resize` did.

    Attributes:
        side: Whose faces.
        size: Side of the new pictures in pixels; None: each kept its own.
        face_type: Their face type; None: each kept its own.
        resized: Faces with a new picture.
        unchanged: Faces that were as wanted already; their files are the same.
        enlarged: Faces that have more pixels than before, and no more detail.
        with_border: Faces with an empty border, which their old picture did not reach.
        kept: The folder with the former faces (after `--undo`: with the resized ones).
        undone: True if the former faces were brought back.
        restored: After `--undo`: faces of the set that have their former picture again.
        removed: After `--undo`: faces that were removed since the resize, and stay removed.
        since_then: After `--undo`: face files that came since, or that the resize had left alone.
        problems: Files that stayed as they were, and why.
    """

    side: str
    size: int | None
    face_type: str | None
    resized: int
    unchanged: int
    enlarged: int
    with_border: int
    kept: Path | None
    undone: bool = False
    restored: int = 0
    removed: int = 0
    since_then: int = 0
    problems: tuple[str, ...] = ()

    def summary(self) -> str:
        """The report in a few lines."""
        if self.undone:
            return "\n".join(self._undo_lines())
        wanted = [f"{self.size} pixels"] if self.size else []
        wanted += [self.face_type] if self.face_type else []
        lines = [f"Now {', '.join(wanted)}: {counted(self.resized, 'face')} of {self.side}."]
        if self.unchanged:
            lines.append(f"{self.unchanged} were as wanted already.")
        if self.enlarged:
            lines.append(f"{self.enlarged} were enlarged, which adds pixels but no detail.")
        if self.with_border:
            lines.append(
                f"{self.with_border} have an empty border, because their old picture does not reach "
                "that far; extract again to have it filled."
            )
        if self.kept:
            lines.append(
                f"The former faces are in {self.kept} (`dflcolab resize --side {self.side} --undo` "
                "brings them back; delete that folder when you are content)."
            )
        return "\n".join([*lines, *self.problems])

    def _undo_lines(self) -> list[str]:
        former = counted(self.restored, "face")
        lines = [
            f"As before the resize, in the present order: {former} of {self.side}.",
            f"The resized ones, with what was drawn on them, are in {self.kept}.",
        ]
        if self.removed:
            lines.append(
                f"Removed since, and in the trash as before the resize: "
                f"{counted(self.removed, 'face')} (`dflcolab clean --side {self.side} --undo` "
                "brings them back)."
            )
        if self.since_then:
            lines.append(
                f"Unchanged in the set: {counted(self.since_then, 'face')} that came since the resize, "
                "or that it had left as they were."
            )
        return lines


@alone_with_faces
def resize(
    workspace: Workspace, config: ResizeConfig, *, progress: Progress | None = None
) -> ResizeReport:
    """Resize the faceset of one side, or undo that. A kill at any moment loses nothing.

    Raises:
        FacesetError: There are no faces, they are packed, or none can be resized.
        StorageError: The disk is full or read-only; the faceset is as it was.
        Interrupted: The user asked to stop; run it again to go on.
    """
    progress = progress or Progress()
    if config.undo:
        folder = workspace.aligned_dir(config.side)
        recover(folder)
        undone = undo_resize(folder, Trash.of(workspace, config.side), progress=progress)
        note_format(workspace.frames_dir(config.side) / FILE_NAME, folder)
        return ResizeReport(
            side=config.side.value,
            size=config.size,
            face_type=None,
            resized=0,
            unchanged=0,
            enlarged=0,
            with_border=0,
            kept=undone.kept,
            undone=True,
            restored=undone.restored,
            removed=undone.removed,
            since_then=undone.since,
        )
    if config.face_type is not None and not config.face_type.is_crop:
        raise FacesetError(
            "A crop cannot become mark_only, which means the whole frame; extract with that type."
        )
    paths = loose_faces(workspace, config.side)
    size = config.size or (None if config.face_type else _USUAL_SIZE)
    found = resize_faces(
        paths,
        size=size,
        face_type=config.face_type,
        jpeg_quality=config.jpeg_quality,
        progress=progress,
    )
    note_format(workspace.frames_dir(config.side) / FILE_NAME, paths[0].parent)
    return ResizeReport(
        side=config.side.value,
        size=size,
        face_type=None if config.face_type is None else config.face_type.value,
        resized=found.changed,
        unchanged=found.unchanged,
        enlarged=found.enlarged,
        with_border=found.with_border,
        kept=found.kept,
        problems=found.problems,
    )
