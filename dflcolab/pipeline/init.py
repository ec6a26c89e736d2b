"""`init`: make a workspace, bring videos in, record the rights. Safe to run again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dflcolab.errors import WorkspaceError
from dflcolab.files import check_space, sha256_of, storage_errors
from dflcolab.media.frame_sequence import FRAME_SUFFIXES, list_frames
from dflcolab.media.probe import probe
from dflcolab.pipeline.bring_in import bring_in, check_source
from dflcolab.progress import Progress
from dflcolab.runtime.rules import has_chosen, how_to_choose, platform_rules, record_choice
from dflcolab.runtime.where import Where, find_out
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.moving import copy_file
from dflcolab.workspace.settings import (
    FILE_NAME,
    Rights,
    RightsBasis,
    WorkspaceSettings,
    read_settings,
    write_settings,
)
from dflcolab.workspace.workspace import VIDEO_SUFFIXES, Side, Workspace


@dataclass(frozen=True)
class InitReport:
    """What `init` did.

    Attributes:
        workspace: The folder.
        created: False if it was a workspace before.
        added: Files brought in, by their new names.
        already_there: Given files whose copy was there already.
        rights: Recorded basis by side; None where none is recorded.
        platform: Rules of the machine's operator and how to choose; "" where there are none, or the
            choice is recorded.
        problems: What was left out, and why.
        next_steps: What was found in what came in, and what to do with it.
    """

    workspace: Path
    created: bool
    added: tuple[str, ...]
    already_there: tuple[str, ...]
    rights: dict[str, str | None]
    platform: str
    problems: tuple[str, ...]
    next_steps: tuple[str, ...] = ()

    def summary(self) -> str:
        """The report in a few lines."""
        lines = [f"{'Made' if self.created else 'Updated'} the workspace {self.workspace}."]
        if self.added:
            lines.append(f"Added {_shortened(self.added)}.")
        if self.already_there:
            lines.append(f"Already there: {_shortened(self.already_there)}.")
        lines += [*self.problems, *self.next_steps]
        missing = [side for side, basis in self.rights.items() if basis is None]
        if missing:
            lines.append(
                f"Not yet recorded: on what basis the likeness of {' and '.join(missing)} is used; "
                "merge asks for it. Say so in the form (src_rights, dst_rights), or with "
                "`dflcolab init --src-rights … --dst-rights …`."
            )
        if self.platform:
            lines.append(self.platform)
        return "\n".join(lines)


def init(
    root: Path,
    config: InitConfig,
    *,
    progress: Progress | None = None,
    where: Where | None = None,
) -> InitReport:
    """Make the workspace `root`, or bring an existing one (or a DeepFaceLab folder) up to date.

    Nothing that is there is changed, except for the keys of `workspace.toml` that the config names.

    Args:
        root: Folder of the workspace; made if missing.
        config: What to bring in and record.
        progress: Shows the copying.
        where: Kind of place; found out when None.

    Raises:
        MediaError: A given file is no video.
        WorkspaceError: A given path is missing, holds no workspace, or `root` is a file.
        DownloadError: The link behind `--from` cannot be fetched.
        FormatError: The archive behind `--from` is damaged or hostile.
        StorageError: The disk is full; what was copied so far is complete and stays.
    """
    progress = progress or Progress()
    where = where or find_out()
    if config.from_ is not None:
        check_source(config.from_)
    sources = {Side.SRC: _checked(config.src, Side.SRC), Side.DST: _checked(config.dst, Side.DST)}
    with storage_errors(root):
        if root.exists() and not root.is_dir():
            raise WorkspaceError(f"{root} is a file; give the workspace another name.")
        created = not (root / FILE_NAME).exists()
        for folder in ("data_src/aligned", "data_dst/aligned", "model", "history"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        _record(root, config)
        workspace = Workspace.open(root)
        if config.platform_choice is not None:
            record_choice(workspace, where, go_on=config.platform_choice == "go-on")
        added: list[str] = []
        present: list[str] = []
        problems: list[str] = []
        next_steps: list[str] = []
        if config.from_ is not None:
            brought = bring_in(workspace, config.from_, progress=progress)
            added += brought.added
            present += brought.present
            problems += brought.problems
            next_steps += brought.next_steps
        for side, paths in sources.items():
            for path in paths:
                if path.is_dir():
                    new, old = _add_pictures(workspace, side, path, progress)
                else:
                    new, old = bring_in_video(workspace, side, path, progress)
                added += new
                present += old
    rights = workspace.settings.rights
    return InitReport(
        workspace=root,
        created=created,
        added=tuple(added),
        already_there=tuple(present),
        rights={side: kept.basis.value if kept else None for side, kept in rights.items()},
        platform=_platform(workspace, where),
        problems=tuple(problems),
        next_steps=tuple(next_steps),
    )


def _platform(workspace: Workspace, where: Where) -> str:
    if has_chosen(workspace, where):
        return ""
    return (
        f"{platform_rules(where)}\nTraining and merging wait for your choice: "
        f"{how_to_choose(workspace, where, shown=True)}."
    )


def _checked(paths: Sequence[Path], side: Side) -> list[Path]:
    """The given paths, after a look that each is a video or a folder with pictures."""
    for path in paths:
        if not path.exists():
            raise WorkspaceError(f"There is no {path}; check the path of the {side.value} video.")
        if path.is_dir():
            if not list_frames(path):
                raise WorkspaceError(
                    f"The folder {path} holds no pictures ({', '.join(FRAME_SUFFIXES)}); "
                    "give a video or a folder of frames."
                )
        else:
            probe(path)
    return list(paths)


def _record(root: Path, config: InitConfig) -> None:
    """Write `workspace.toml`: new, or with the keys that were given."""
    if (root / FILE_NAME).exists():
        settings = read_settings(root)
    else:
        settings = WorkspaceSettings(name=config.name or root.resolve().name)
    if config.name is not None:
        settings = replace(settings, name=config.name)
    if config.face_type is not None:
        settings = replace(settings, face_type=config.face_type)
    settings = replace(
        settings,
        rights_src=_rights(settings.rights_src, config.src_rights, config.note),
        rights_dst=_rights(settings.rights_dst, config.dst_rights, config.note),
    )
    write_settings(root, settings)


def _rights(present: Rights | None, basis: RightsBasis | None, note: str | None) -> Rights | None:
    if basis is None:
        return present
    kept = present.note if present is not None and present.basis == basis else ""
    return Rights(basis, kept if note is None else note)


def bring_in_video(
    workspace: Workspace, side: Side, path: Path, progress: Progress
) -> tuple[list[str], list[str]]:
    """Copy a video in under the next free name; a copy that is there already is found by content.

    Returns:
        Names of the video in the workspace: in the first list if it is new, else in the second.

    Raises:
        Interrupted: The user asked to stop; nothing was added.
        StorageError: The disk is too full for it, read-only or gone.
    """
    size = path.stat().st_size
    same_size = [video for video in workspace.videos(side) if video.stat().st_size == size]
    if same_size:
        digest = sha256_of(path)
        for video in same_size:
            if video.samefile(path) or sha256_of(video) == digest:
                return [], [video.name]
    target = workspace.root / _next_video_name(workspace, side, path)
    check_space(workspace.root, size, str(path))
    with progress.task(f"Copying {path.name}", total=size >> 20, unit="MB") as task:
        copied = 0

        def advance(n_bytes: int) -> None:
            nonlocal copied
            progress.raise_if_stopped()
            task.advance(((copied + n_bytes) >> 20) - (copied >> 20))
            copied += n_bytes

        copy_file(path, target, advance=advance)
    return [target.name], []


def _next_video_name(workspace: Workspace, side: Side, path: Path) -> str:
    """`data_src.mp4`, then `data_src_2.mp4` …; numbers count over all endings.

    Where pictures were given before, the video starts at 2: the frames of `data_src.mp4` would get
    the names of those pictures.
    """
    suffix = path.suffix.lower() if path.suffix.lower() in VIDEO_SUFFIXES else ".mp4"
    taken = {video.stem for video in workspace.videos(side)}
    stem = f"data_{side.value}"
    pictures = not taken and list_frames(workspace.frames_dir(side))
    number = 2 if pictures else 1
    while (name := stem if number == 1 else f"{stem}_{number}") in taken:
        number += 1
    return name + suffix


def _add_pictures(
    workspace: Workspace, side: Side, folder: Path, progress: Progress
) -> tuple[list[str], list[str]]:
    """Copy the pictures of a folder to the side's frames; they keep their names.

    Where another picture may have the name, the new one gets the folder's name in front.
    """
    target_dir = workspace.frames_dir(side)
    pictures = list_frames(folder)
    if target_dir.resolve() == folder.resolve():
        return [], [f"{target_dir.name}/ ({len(pictures)} pictures)"]
    check_space(workspace.root, sum(path.stat().st_size for path in pictures), str(folder))
    has_videos = bool(workspace.videos(side))

    def names(path: Path) -> list[str]:
        long_name = f"{folder.resolve().name}-{path.name}"
        return [long_name] if has_videos else [path.name, long_name]

    added = present = 0
    with progress.task(f"Copying {folder.name}", total=len(pictures), unit="pictures") as task:
        for path in pictures:
            progress.raise_if_stopped()
            for name in names(path):
                target = target_dir / name
                if not target.exists():
                    copy_file(path, target)
                    added += 1
                    break
                if _same_content(target, path):
                    present += 1
                    break
            else:
                raise WorkspaceError(
                    f"{target_dir} holds other pictures named like those of {folder}; "
                    "rename that folder and run again."
                )
            task.advance()
    name = f"{target_dir.name}/ ({{}} pictures of {folder})"
    return (
        [name.format(added)] if added else [],
        [name.format(present)] if present else [],
    )


def _same_content(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and sha256_of(one) == sha256_of(other)


def _shortened(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
