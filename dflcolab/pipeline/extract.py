"""`extract`: from the videos or frames of a side to its faceset.

Safe to run again: only frames that are not in the journal are looked at, nothing is deleted, and a
face that somebody deleted stays deleted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from dflcolab.detection.detector import FaceDetector
from dflcolab.detection.mesh import FaceMesh
from dflcolab.errors import FacesetError
from dflcolab.extraction import append_log
from dflcolab.extraction.config import ExtractConfig, FaceOptions
from dflcolab.extraction.debug_pictures import DrawnPictures, draw_missing, stems_of_pictures
from dflcolab.extraction.extractor import Extractor
from dflcolab.extraction.journal import FILE_NAME, Journal, forget
from dflcolab.extraction.present_faces import FaceFormat, format_of_side, present_faces
from dflcolab.extraction.report import ExtractReport, Stopwatch
from dflcolab.extraction.side_sources import all_sources, hidden_videos, sources_to_extract
from dflcolab.extraction.sources import Source
from dflcolab.extraction.writing import FaceWriter
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.folder_lock import using
from dflcolab.faceset.renaming import recover
from dflcolab.files import list_files
from dflcolab.imaging.one_thread import one_opencv_thread
from dflcolab.pipeline.extract_redo import redo_deleted
from dflcolab.pipeline.extract_steps import (
    adding_faces,
    check_identities,
    clear_leftovers,
    done_frames,
    faces_so_far,
    foreign_faces,
    make_folders,
    refuse_to_hide_faces,
    take_over,
)
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Workspace

_DEVICE_NOTE = (
    "The bundled detector and landmark networks run on the CPU; device = gpu changes nothing."
)


def extract(
    workspace: Workspace, config: ExtractConfig, *, progress: Progress | None = None
) -> ExtractReport:
    """Find, align and store the faces of one side.

    Args:
        workspace: Where the videos or frames are and the faces go.
        config: Options.
        progress: Shown to the user, and asked for a wish to stop.

    Returns:
        Counts, times, and what was wrong with the material.

    Raises:
        WorkspaceError: The side has neither videos nor frames.
        FacesetError: No face at all; other options than before; a pack or people's folders are in the
            way; no debug pictures to tell by which frames shall be looked at again.
        MediaError: A video is none.
        Interrupted: Stopped as asked; all before is safe.
        StorageError: Disk full, read-only or gone.
    """
    progress = progress or Progress()
    refuse_to_hide_faces(workspace, config)
    with adding_faces(workspace, config):
        if config.redo_deleted:
            return redo_deleted(workspace, config, progress)
        return _extract(workspace, config, progress)


def _extract(workspace: Workspace, config: ExtractConfig, progress: Progress) -> ExtractReport:
    log_path = workspace.frames_dir(config.side) / append_log.FILE_NAME
    appended = append_log.read_log(log_path).videos
    sources = sources_to_extract(workspace, config, appended)
    face_type = config.face_type or workspace.settings.face_type
    report = run_sources(workspace, config, sources, face_type, progress=progress)
    for problem in hidden_videos(workspace, config, sources):
        report.problems.insert(0, problem)
        progress.message(problem)
    if not report.frames_with_face:
        raise FacesetError(_no_face(sources, report.frames, config, report.problems))
    return report


def run_sources(
    workspace: Workspace,
    config: FaceOptions,
    sources: Sequence[Source],
    face_type: FaceType,
    *,
    progress: Progress,
) -> ExtractReport:
    """Extract what is missing of some sources, inside `adding_faces`; then, if `config.debug` says so, draw what is missing.

    Args:
        workspace: Where the faces go.
        config: Options.
        sources: Where the frames come from.
        face_type: Extent of the crops.
        progress: Shown to the user, and asked for a wish to stop.

    Raises:
        FacesetError: Other options than before; a video was exchanged.
        Interrupted: Stopped as asked; all before is safe.
        StorageError: Disk full, read-only or gone.
    """
    begin = time.perf_counter()
    if config.device == "gpu":
        progress.message(_DEVICE_NOTE)
    aligned_dir = workspace.aligned_dir(config.side)
    debug_dir = workspace.debug_dir(config.side) if config.wants_debug else None
    make_folders(aligned_dir, debug_dir)
    recover(aligned_dir)  # faces of a sort that was killed half-way are not gone
    watch = Stopwatch()
    journal_path = workspace.frames_dir(config.side) / FILE_NAME
    if not list_files(aligned_dir, (".jpg",)):
        forget(journal_path)
    size = config.size_for(face_type, _present_size(journal_path, aligned_dir, face_type))
    foreign = {} if journal_path.exists() else foreign_faces(aligned_dir, face_type)
    mesh = FaceMesh()
    extractor = Extractor(
        detector=FaceDetector(mesh, small_faces=config.small_faces, rotations=config.rotations),
        mesh=mesh,
        writer=FaceWriter(
            aligned_dir=aligned_dir,
            debug_dir=debug_dir,
            face_type=face_type,
            size=size,
            jpeg_quality=config.jpeg_quality,
            antialias=config.antialias,
            watch=watch,
        ),
        min_face=config.min_face,
        max_faces=config.max_faces,
        watch=watch,
    )
    options = {"face_type": face_type.value, "size": size}
    with (
        using(aligned_dir, progress=progress),
        Journal(journal_path, options) as journal,
        one_opencv_thread(),
    ):
        clear_leftovers(aligned_dir, debug_dir)
        check_identities(sources, journal, aligned_dir)
        n_foreign = take_over(foreign, sources, journal)
        if n_foreign:
            progress.message(
                f"{aligned_dir} holds faces of {n_foreign} frames from another program; those "
                "frames are left alone."
            )
        new = _run(extractor, sources, journal, config, progress)
        so_far = faces_so_far(journal, aligned_dir)
        drawn = DrawnPictures()
        if config.debug and debug_dir is not None:
            done = done_frames(workspace, journal)
            drawn = draw_missing(
                present_faces(aligned_dir),
                [stem for stems in done.values() for stem in stems.values()],
                all_sources(workspace, config.side),
                debug_dir,
                progress=progress,
            )
            there = stems_of_pictures(debug_dir)
            for name, stems in done.items():
                journal.add_pictured(name, [key for key, stem in stems.items() if stem in there])
    problems = [problem for source in sources for problem in source.problems] + drawn.problems
    for problem in problems:
        progress.message(problem)
    new_frames = sum(n_frames for n_frames, _ in new.values())
    seconds = time.perf_counter() - begin
    return ExtractReport(
        side=config.side,
        frames=so_far.frames,
        frames_with_face=so_far.frames_with_face,
        faces=so_far.faces,
        removed=so_far.removed,
        new_frames=new_frames,
        new_faces=sum(n_faces for _, n_faces in new.values()),
        seconds=round(seconds, 3),
        frames_per_second=round(new_frames / seconds, 2),
        face_type=face_type.value,
        size=size,
        stage_seconds=watch.seconds,
        problems=problems,
        new_faces_by_source={name: n_faces for name, (_, n_faces) in new.items()},
        drawn_pictures=drawn.n_pictures,
    )


def _present_size(journal_path: Path, aligned_dir: Path, face_type: FaceType) -> int | None:
    """Size of the faces that are there, if they are of this type."""
    present: FaceFormat | None = format_of_side(journal_path, aligned_dir)
    return present.size if present is not None and present.face_type is face_type else None


def _run(
    extractor: Extractor,
    sources: Sequence[Source],
    journal: Journal,
    config: FaceOptions,
    progress: Progress,
) -> dict[str, tuple[int, int]]:
    """All sources one after the other; frames and faces of this run by the source's name."""
    found: dict[str, tuple[int, int]] = {}
    for source in sources:
        done = len(journal.source(source.name).faces)
        title = f"Extracting {config.side.value} from {source.name}"
        with progress.task(title, total=source.n_frames, unit="frames", done=done) as task:
            found[source.name] = extractor.run(
                source, journal, source.fps, progress=progress, task=task
            )
    return found


def _no_face(
    sources: Sequence[Source], n_frames: int, config: ExtractConfig, problems: Sequence[str]
) -> str:
    names = ", ".join(source.name for source in sources)
    hint = "" if config.rotations else " try --rotations if people lie on their side, or"
    why = f" ({problems[0]})" if problems and n_frames == 0 else ""
    return (
        f"No face was found in {names} ({n_frames} frames looked at{why});{hint} "
        "check that the footage shows a face larger than "
        f"{config.min_face} pixels."
    )
