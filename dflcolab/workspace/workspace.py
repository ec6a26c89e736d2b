# pyright: strict
"""The folder of one project and the place of everything in it.

The layout is DeepFaceLab's own, plus `workspace.toml`, the trash and `history/`, so that a folder
can travel either way. Nothing here creates or changes a file except `update` and, after a kill, `open`.
"""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dflcolab.errors import RightsError, WorkspaceError
from dflcolab.files import natural_key
from dflcolab.workspace.placing import finish_placing
from dflcolab.workspace.settings import (
    FILE_NAME,
    PlatformChoice,
    Rights,
    RightsBasis,
    WorkspaceSettings,
    read_settings,
    write_settings,
)

__all__ = [
    "VIDEO_SUFFIXES",
    "PlatformChoice",
    "Rights",
    "RightsBasis",
    "Side",
    "Workspace",
    "WorkspaceSettings",
    "require_rights",
]

VIDEO_SUFFIXES = (
    ".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts",
    ".wmv", ".flv", ".mxf", ".3gp", ".ogv", ".gif",
)  # fmt: skip


class Side(enum.StrEnum):
    """Which of the two people: `src` gives the face, `dst` is the footage that receives it."""

    SRC = "src"
    DST = "dst"


@dataclass(frozen=True)
class Workspace:
    """Paths of one workspace. Build it with `Workspace.open`, which checks that it is one.

    Attributes:
        root: The folder that holds `workspace.toml`.
    """

    root: Path

    @classmethod
    def open(cls, root: Path | str) -> Workspace:
        """The workspace at `root`; what a killed `sync pull` had ready is put in place first.

        Raises:
            WorkspaceError: The folder is missing, is no workspace, or its `workspace.toml` holds
                something that is not understood.
            ConfigError: `workspace.toml` is not TOML.
        """
        root = Path(root)
        finish_placing(root)
        if not root.is_dir():
            raise WorkspaceError(
                f"There is no workspace at {root}; create one with `dflcolab init -w {root}`."
            )
        if not (root / FILE_NAME).is_file():
            if _looks_like_dfl(root):
                raise WorkspaceError(
                    f"{root} is a DeepFaceLab folder without {FILE_NAME}; "
                    f"run `dflcolab init -w {root}` once (it only adds that file)."
                )
            raise WorkspaceError(
                f"{root} is not a workspace (it has no {FILE_NAME}); "
                f"make it one with `dflcolab init -w {root}`."
            )
        workspace = cls(root)
        read_settings(root)
        return workspace

    @property
    def settings(self) -> WorkspaceSettings:
        """What `workspace.toml` says now (read anew, so that edits by hand are seen)."""
        return read_settings(self.root)

    def update(self, **changes: Any) -> WorkspaceSettings:
        """Change some fields of the settings and write them; the user's comments stay."""
        settings = dataclasses.replace(self.settings, **changes)
        write_settings(self.root, settings)
        return settings

    def videos(self, side: Side) -> list[Path]:
        """`data_src.mp4`, `data_src_2.mp4` … of a side, in natural order of their names.

        Raises:
            WorkspaceError: Two videos differ in their ending only, so that their frames would
                get the same names.
        """
        stem = f"data_{side.value}"
        with_stem = [
            path
            for path in _files(self.root)
            if path.suffix.lower() in VIDEO_SUFFIXES
            and (path.stem == stem or path.stem.startswith(stem + "_"))
        ]
        found = sorted(with_stem, key=lambda path: (path.stem != stem, natural_key(path)))
        seen: dict[str, Path] = {}
        for path in found:
            other = seen.setdefault(path.stem, path)
            if other is not path:
                raise WorkspaceError(
                    f"{other.name} and {path.name} in {self.root} would give frames of the same "
                    f"name; rename one of them, for example to {stem}_2{path.suffix}."
                )
        return found

    def frame_prefix(self, video: Path) -> str:
        """What the frame names of a video start with: "" for the first, "2-" for `…_2`."""
        for side in Side:
            stem = f"data_{side.value}"
            if video.stem == stem:
                return ""
            if video.stem.startswith(stem + "_"):
                return video.stem[len(stem) + 1 :] + "-"
        return video.stem + "-"

    def frames_dir(self, side: Side) -> Path:
        """`data_src/`: frames as pictures, if somebody wants them so."""
        return self.root / f"data_{side.value}"

    def aligned_dir(self, side: Side) -> Path:
        """`data_src/aligned/`: the faceset of a side."""
        return self.frames_dir(side) / "aligned"

    def debug_dir(self, side: Side) -> Path:
        """`data_src/aligned_debug/`: frames with landmarks drawn on."""
        return self.frames_dir(side) / "aligned_debug"

    def trash_dir(self, side: Side) -> Path:
        """`data_src/aligned_trash/`: removed faces and `trash.jsonl`."""
        return self.frames_dir(side) / "aligned_trash"

    def photos_dir(self, side: Side) -> Path:
        """`data_src/photos/`: a folder for every set of photos that `append` brought in."""
        return self.frames_dir(side) / "photos"

    @property
    def models_dir(self) -> Path:
        """`model/`: one folder per model, and DeepFaceLab's own model files."""
        return self.root / "model"

    def model_dirs(self) -> list[Path]:
        """Folders of all models, sorted; whether they hold a checkpoint is not looked at."""
        if not self.models_dir.is_dir():
            return []
        return sorted(
            folder
            for folder in self.models_dir.iterdir()
            if folder.is_dir() and not folder.name.startswith(".")
        )

    def model_dir(self, name: str) -> Path:
        """`model/<name>/`: the checkpoints of one model.

        Raises:
            WorkspaceError: The name is empty or would lead out of the folder.
        """
        if not name or name.startswith(".") or any(sign in name for sign in '/\\:*?"<>|\0'):
            raise WorkspaceError(
                f"{name!r} cannot be a model's name; use letters, digits, - and _."
            )
        return self.models_dir / name

    @property
    def merged_dir(self) -> Path:
        """`data_dst/merged/`: merged frames."""
        return self.frames_dir(Side.DST) / "merged"

    @property
    def merged_mask_dir(self) -> Path:
        """`data_dst/merged_mask/`: the masks of the merged frames."""
        return self.frames_dir(Side.DST) / "merged_mask"

    @property
    def merged_parts_dir(self) -> Path:
        """`data_dst/merged/parts/`: encoded parts of a result that is made straight from the video."""
        return self.merged_dir / "parts"

    def result_path(self, suffix: str = ".mp4") -> Path:
        """`result.mp4`."""
        return self.root / f"result{suffix}"

    @property
    def history_dir(self) -> Path:
        """`history/`: runs, reports and previews."""
        return self.root / "history"


def require_rights(workspace: Workspace) -> None:
    """Pass only when the rights of both sides are recorded.

    Raises:
        RightsError: They are not; the sentence tells how to record them.
    """
    settings = workspace.settings
    missing = [side for side, rights in settings.rights.items() if rights is None]
    if missing:
        people = " and ".join(missing)
        raise RightsError(
            f"It is not recorded on what basis the likeness of the {people} person is used; run "
            f"`dflcolab init -w {workspace.root} --src-rights KIND --dst-rights KIND` with KIND one "
            f"of {', '.join(member.value for member in RightsBasis)}."
        )


def _looks_like_dfl(root: Path) -> bool:
    return any((root / name).is_dir() for name in ("data_src", "data_dst"))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
