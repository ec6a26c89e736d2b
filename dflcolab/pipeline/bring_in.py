# pyright: strict
"""A folder, archive or shared link of a DeepFaceLab user becomes part of a workspace.

The source is only read. Nothing in the workspace is overwritten. What is there already is recognised,
so that a second call goes on where the first was stopped.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Literal

from dflcolab.errors import DFLColabError, FormatError, StorageError, WorkspaceError
from dflcolab.files import check_space, exclusive, list_files, read_facts, sha256_of, write_text
from dflcolab.formats.dfl_jpeg import read_record
from dflcolab.formats.faceset_pak import PAK_NAME, PakReader
from dflcolab.pipeline.fetch import fetched_workspace
from dflcolab.progress import Progress
from dflcolab.transfer.archive import unpack
from dflcolab.transfer.links import is_link, parse_link
from dflcolab.workspace.dfl_layout import Found, Material, find_material, find_root
from dflcolab.workspace.moving import copy_file, move_file
from dflcolab.workspace.settings import FILE_NAME, read_settings
from dflcolab.workspace.workspace import Side, Workspace

_THREADS = 8
"""Files that are copied at once: on a mounted Drive each one waits for the network."""
_MANY_FILES = 1000
_TRIES = 3
_LOOKED_AT = 20
_UNANSWERED = (errno.EIO, errno.ENOTCONN, errno.ESTALE, errno.ETIMEDOUT)

Outcome = Literal["added", "present", "other"]


@dataclass
class BroughtIn:
    """What came in.

    Attributes:
        added: Folders and files with the number of new files, in words.
        present: The same of files that were there already.
        problems: What was left out or looks wrong, in sentences.
        next_steps: What to do with what came in, in sentences.
    """

    added: list[str] = field(default_factory=list[str])
    present: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])
    next_steps: list[str] = field(default_factory=list[str])


def bring_in(
    workspace: Workspace,
    source: str,
    *,
    progress: Progress,
    cache: Path | None = None,
) -> BroughtIn:
    """Bring in what a DeepFaceLab workspace holds: videos, frames, facesets, models, results.

    Args:
        workspace: Where it goes. Its rights stay as they are.
        source: A folder; a zip or tar; or the address of one (see `transfer.links`).
        progress: Shows the work; a stop request ends it, and the next call goes on.
        cache: Folder for downloads; the user's cache when None.

    Raises:
        WorkspaceError: There is no such source, or it is no workspace of DeepFaceLab.
        DownloadError: The link cannot be fetched.
        FormatError: The archive is damaged.
        UnsafeFileError: The archive is hostile.
        StorageError: The disk is full, or the drive does not answer.
        Interrupted: The user asked to stop.
    """
    check_source(source)
    path = Path(source)
    if not path.exists():
        path = fetched_workspace(source, progress, cache)
    busy = WorkspaceError(f"Something is being brought into {workspace.root} already; wait for it.")
    with exclusive(workspace.root / ".bringing-in.lock", busy):
        bring = _from_folder if path.is_dir() else _from_archive
        report = bring(workspace, path, source, progress)
        note_brought(workspace, (source,))
    return report


def brought_before(workspace: Workspace, source: str) -> bool:
    """Whether all of a source came in before, under this address.

    For callers that run again and again, such as the notebook's cell: bringing it in once more would
    give the user back what was cleaned away since.
    """
    return _known_as(source) in _remembered(workspace)


def note_brought(workspace: Workspace, sources: Iterable[str]) -> None:
    """Note that sources came in.

    Args:
        workspace: Which has them.
        sources: Their addresses, as the user gives them.

    Raises:
        StorageError: The disk is full or read-only.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    known = {**_remembered(workspace), **{_known_as(source): now for source in sources}}
    workspace.history_dir.mkdir(exist_ok=True)
    write_text(_memory(workspace), json.dumps(known, indent=1))


def check_source(source: str) -> None:
    """Refuse at once what is neither a path nor a link.

    Raises:
        WorkspaceError: There is no such path.
        DownloadError: It is a link that this program does not fetch.
    """
    if not source.strip():
        raise WorkspaceError("--from names nothing; give a folder, a zip or tar, or a link.")
    if Path(source).exists():
        return
    if not is_link(source):
        raise WorkspaceError(f"There is no {source}; check the path or link.")
    parse_link(source)


def _remembered(workspace: Workspace) -> dict[str, str]:
    """Sources that came in, with the time."""
    return read_facts(_memory(workspace))


def _known_as(source: str) -> str:
    """The source without what may be secret: the query of a link."""
    return source if Path(source).exists() or not is_link(source) else parse_link(source).shown


def _memory(workspace: Workspace) -> Path:
    return workspace.history_dir / "brought_in.json"


def _from_folder(workspace: Workspace, folder: Path, shown: str, progress: Progress) -> BroughtIn:
    root = find_root(folder, shown)
    here, there = workspace.root.resolve(), root.resolve()
    if here.is_relative_to(there) or there.is_relative_to(here):
        raise WorkspaceError(
            f"{root} and the workspace {workspace.root} lie in each other; `dflcolab init -w {root}` "
            "makes a workspace of that folder itself."
        )
    found = find_material(root, progress)
    if len(found.files) > _MANY_FILES:
        progress.message(
            f"{root} holds {len(found.files):,} single files, which a mounted drive reads slowly; as "
            "one zip, or with the faces in faceset.pak (`dflcolab pack`), it goes much faster."
        )
    size = sum(
        material.size for material in found.files if not _target(workspace, material).exists()
    )
    check_space(workspace.root, size, shown)
    outcomes = _copy_all(workspace, found.files, root.name, progress)
    return _told(workspace, root, found, outcomes)


def _from_archive(workspace: Workspace, archive: Path, shown: str, progress: Progress) -> BroughtIn:
    staging = workspace.root / ".bringing-in"
    shutil.rmtree(staging, ignore_errors=True)  # of a call that was killed; the archive has it all
    try:
        unpack(archive, staging, progress=progress)
        root = find_root(staging, shown)
        found = find_material(root, progress)
        outcomes: dict[Material, Outcome] = {
            material: _place(workspace, material, move_file) for material in found.files
        }
        return _told(workspace, root, found, outcomes)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _copy_all(
    workspace: Workspace, files: Iterable[Material], name: str, progress: Progress
) -> dict[Material, Outcome]:
    """Copy by several threads; bars are moved by this one only, notebooks need that."""
    files = list(files)
    outcomes: dict[Material, Outcome] = {}
    copied: deque[int] = deque()

    def note(n_bytes: int) -> None:
        copied.append(n_bytes)
        progress.raise_if_stopped()

    def copy(source: Path, target: Path) -> None:
        _copy_patiently(source, target, note)

    total = sum(material.size for material in files)
    waiting = iter(files)
    n_bytes = 0
    with (
        progress.task(f"Copying {name}", total=total >> 20, unit="MB") as task,
        ThreadPoolExecutor(_THREADS) as pool,
    ):
        running: dict[Future[Outcome], Material] = {}
        try:
            while True:
                progress.raise_if_stopped()
                for material in islice(waiting, 4 * _THREADS - len(running)):
                    running[pool.submit(_place, workspace, material, copy)] = material
                if not running:
                    return outcomes
                done, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in done:
                    material = running.pop(future)
                    outcomes[material] = future.result()
                    if outcomes[material] != "added":
                        copied.append(material.size)
                arrived = n_bytes
                while copied:
                    arrived += copied.popleft()
                task.advance(
                    (arrived >> 20) - (n_bytes >> 20), note=f"{len(outcomes)} of {len(files)} files"
                )
                n_bytes = arrived
        except BaseException:
            for future in running:
                future.cancel()
            raise


def _place(
    workspace: Workspace, material: Material, bring: Callable[[Path, Path], None]
) -> Outcome:
    """Put one file where it belongs, unless something is there."""
    target = _target(workspace, material)
    if os.path.lexists(target):
        return "present" if _is_same(material, target) else "other"
    target.parent.mkdir(parents=True, exist_ok=True)
    bring(material.source, target)
    return "added"


def _target(workspace: Workspace, material: Material) -> Path:
    return workspace.root / material.place


def _is_same(material: Material, target: Path) -> bool:
    if not target.is_file() or target.stat().st_size != material.size:
        return False
    # A copy has its source's time; FAT and zip count in steps of two seconds.
    if abs(target.stat().st_mtime - material.time) <= 2.0:
        return True
    return sha256_of(target) == sha256_of(material.source)


def _copy_patiently(source: Path, target: Path, note: Callable[[int], None]) -> None:
    """A mounted drive fails at times and answers the next moment."""
    for attempt in range(1, _TRIES + 1):
        try:
            copy_file(source, target, advance=note)
            return
        except StorageError as error:
            reason = error.__cause__
            if not isinstance(reason, OSError) or reason.errno not in _UNANSWERED:
                raise
            if attempt == _TRIES:
                raise StorageError(
                    f"{source} cannot be read, its drive does not answer; connect it again and run "
                    "the same command, it goes on where it stopped."
                ) from error
            time.sleep(attempt)


def _told(
    workspace: Workspace, root: Path, found: Found, outcomes: dict[Material, Outcome]
) -> BroughtIn:
    """The report: folders with numbers rather than thousands of names."""
    report = BroughtIn()
    report.added = _counted(m for m, outcome in outcomes.items() if outcome == "added")
    report.present = _counted(m for m, outcome in outcomes.items() if outcome == "present")
    others = [m.place.as_posix() for m, outcome in outcomes.items() if outcome == "other"]
    if others:
        report.problems.append(
            f"{_some(others)}: the workspace holds another file of that name, which stays; rename one "
            "of them and run again."
        )
    if found.left:
        report.problems.append(
            f"Left out, because it is no part of a workspace: {_some(found.left)}."
        )
    if found.links:
        names = [path.name for path in found.links]
        report.problems.append(f"Links are not followed: {_some(names)}.")
    if (root / FILE_NAME).is_file():
        _take_settings(workspace, root, report)
    for side in Side:
        _look_at_faces(workspace.aligned_dir(side), report)
    _look_at_videos(workspace, report)
    _look_at_models(workspace, report)
    return report


def _take_settings(workspace: Workspace, root: Path, report: BroughtIn) -> None:
    """The face type travels; the rights are asked for anew, they are a statement of this user."""
    try:
        workspace.update(face_type=read_settings(root).face_type)
    except DFLColabError as error:
        report.problems.append(f"Its {FILE_NAME} is left out: {error}")


def _look_at_faces(aligned: Path, report: BroughtIn) -> None:
    pack = aligned / PAK_NAME
    if pack.is_file():
        try:
            with PakReader(pack) as reader:
                n_faces = len(reader)
            report.next_steps.append(f"{pack.parent.parent.name}: {n_faces} faces in {PAK_NAME}.")
        except FormatError as error:
            report.problems.append(str(error))
    loose = list_files(aligned, (".jpg", ".jpeg"))
    if not loose:
        return
    step = max(1, len(loose) // _LOOKED_AT)
    looked = loose[::step][:_LOOKED_AT]
    bad = [path for path in looked if not _is_face(path)]
    report.next_steps.append(f"{aligned.parent.name}: {len(loose)} single face files.")
    if bad:
        report.problems.append(
            f"{len(bad)} of {len(looked)} pictures looked at in {aligned} hold no face data "
            f"({bad[0].name}); verbs leave such pictures out."
        )


def _is_face(path: Path) -> bool:
    try:
        return read_record(path) is not None
    except FormatError:
        return False


def _look_at_videos(workspace: Workspace, report: BroughtIn) -> None:
    for side in Side:
        try:
            workspace.videos(side)
        except WorkspaceError as error:
            report.problems.append(str(error))


def _look_at_models(workspace: Workspace, report: BroughtIn) -> None:
    from dflcolab.exporting.dfl_folder import dfl_models

    models = dfl_models(workspace.models_dir)
    for model in models:
        report.next_steps.append(
            f"DeepFaceLab's model {model.id} is in model/; `dflcolab model import -w "
            f"{workspace.root} --model {model.id}` makes it usable here."
        )
    if not models and list_files(workspace.models_dir, (".npy",)):
        report.problems.append(
            f"{workspace.models_dir} holds weights without their NAME_SAEHD_data.dat, which an import "
            "needs; look for that file in the source."
        )


def _counted(materials: Iterable[Material]) -> list[str]:
    """`data_src/aligned/ (12 files)`, or the name where there is one."""
    by_folder: Counter[str] = Counter()
    names: dict[str, str] = {}
    for material in materials:
        folder = material.place.parent.as_posix()
        key = material.place.as_posix() if folder == "." else folder
        by_folder[key] += 1
        names[key] = material.place.as_posix()
    return [
        names[key] if count == 1 else f"{key}/ ({count} files)" for key, count in by_folder.items()
    ]


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
