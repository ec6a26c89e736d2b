"""`extract --redo-deleted`: look again at frames whose debug picture somebody has deleted."""

from __future__ import annotations

import time
from collections.abc import Sequence

from dflcolab.detection.detector import FaceDetector
from dflcolab.detection.faces import find_faces
from dflcolab.detection.mesh import FaceMesh
from dflcolab.errors import FacesetError
from dflcolab.extraction.config import ExtractConfig
from dflcolab.extraction.debug_pictures import places_of, stems_of_pictures
from dflcolab.extraction.journal import FILE_NAME, Journal, read_options
from dflcolab.extraction.present_faces import (
    FaceFormat,
    PresentFaces,
    format_of_side,
    present_faces,
)
from dflcolab.extraction.redo import Finder, Redone, RedoPlan, plan_redo, redo
from dflcolab.extraction.report import ExtractReport, Stopwatch
from dflcolab.extraction.side_sources import all_sources
from dflcolab.extraction.sources import PictureSource, Source, SourceFrame
from dflcolab.extraction.writing import FaceWriter, PlacedFace
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.folder_lock import alone_in
from dflcolab.faceset.renaming import recover
from dflcolab.imaging.one_thread import one_opencv_thread
from dflcolab.pipeline.extract_steps import (
    check_identities,
    clear_leftovers,
    done_frames,
    faces_so_far,
    make_folders,
)
from dflcolab.progress import Progress
from dflcolab.workspace.trash import Trash
from dflcolab.workspace.workspace import Workspace

_SHOWN = 20


def redo_deleted(workspace: Workspace, config: ExtractConfig, progress: Progress) -> ExtractReport:
    """Look again, with everything the detectors can do, at frames without their debug picture.

    Raises:
        FacesetError: No debug pictures to tell by; other options than before.
        MediaError: A video is none.
        Interrupted: Stopped as asked; run again for the rest.
        StorageError: Disk full, read-only or gone; nothing is lost.
    """
    begin = time.perf_counter()
    aligned_dir, debug_dir = workspace.aligned_dir(config.side), workspace.debug_dir(config.side)
    if not stems_of_pictures(debug_dir):
        raise FacesetError(
            f"{debug_dir} holds no debug pictures, so none was deleted; run extract with --debug "
            "first, delete the pictures of bad frames, then run this again."
        )
    sources = all_sources(workspace, config.side)
    make_folders(aligned_dir, debug_dir)
    with alone_in(aligned_dir, progress=progress):
        recover(aligned_dir)
        clear_leftovers(aligned_dir, debug_dir)
        kind = _format(workspace, config)
        journal_path = workspace.frames_dir(config.side) / FILE_NAME
        options = {"face_type": kind.face_type.value, "size": kind.size}
        present = present_faces(aligned_dir)
        watch = Stopwatch()
        writer = FaceWriter(
            aligned_dir=aligned_dir,
            debug_dir=debug_dir,
            face_type=kind.face_type,
            size=kind.size,
            jpeg_quality=config.jpeg_quality,
            antialias=config.antialias,
            watch=watch,
        )
        with Journal(journal_path, options) as journal, one_opencv_thread():
            check_identities(sources, journal, aligned_dir)
            if not any(log.faces for log in journal.sources.values()):
                _take_over_all(present, sources, journal)
            plan = plan_redo(done_frames(workspace, journal), journal.sources, debug_dir)
            done = redo(
                plan,
                sources,
                present,
                _finder(config, writer, watch),
                writer=writer,
                trash=Trash.of(workspace, config.side),
                journal=journal,
                progress=progress,
            )
            so_far = faces_so_far(journal, aligned_dir)
    problems = _sentences(plan, done, sources)
    for problem in problems:
        progress.message(problem)
    seconds = time.perf_counter() - begin
    return ExtractReport(
        side=config.side,
        frames=so_far.frames,
        frames_with_face=so_far.frames_with_face,
        faces=so_far.faces,
        removed=so_far.removed,
        new_frames=done.n_frames,
        new_faces=done.n_faces,
        seconds=round(seconds, 3),
        frames_per_second=round(done.n_frames / seconds, 2),
        face_type=kind.face_type.value,
        size=kind.size,
        stage_seconds=watch.seconds,
        problems=problems,
        trashed=done.n_trashed,
        without_face=tuple(done.without_face),
    )


def _format(workspace: Workspace, config: ExtractConfig) -> FaceFormat:
    """Face type and size: as asked, else those that the side has."""
    journal_path = workspace.frames_dir(config.side) / FILE_NAME
    present = format_of_side(journal_path, workspace.aligned_dir(config.side))
    options = read_options(journal_path)
    if present is None and options is not None:  # every face was removed
        present = FaceFormat(FaceType.parse(options["face_type"]), options["size"])
    face_type = config.face_type or (
        workspace.settings.face_type if present is None else present.face_type
    )
    return FaceFormat(face_type, config.size_for(face_type, present and present.size))


def _take_over_all(present: PresentFaces, sources: Sequence[Source], journal: Journal) -> None:
    """Enter what another program extracted: every frame with a face, and every picture.

    DeepFaceLab looks at all pictures of the folder and writes a debug picture of each, also of
    those without a face.
    """
    places = places_of(present.by_stem, sources)
    for source in sources:
        counts = {key: len(present.by_stem[stem]) for key, stem in places[source.name].items()}
        if isinstance(source, PictureSource):
            counts = {key: counts.get(key, 0) for key in source.keys}
        if counts:
            journal.add(source.name, counts, (), identity=source.identity, fps=None)


def _finder(config: ExtractConfig, writer: FaceWriter, watch: Stopwatch) -> Finder:
    """Looks at a frame by itself: all scales, all turns, low scores."""
    mesh = FaceMesh()
    detector = FaceDetector(mesh, small_faces=True, rotations=True, thorough=True)

    def find(frame: SourceFrame) -> Sequence[PlacedFace]:
        with watch.time("detect"):
            seen = detector.detect(frame.image)
        with watch.time("track"):
            found = find_faces(frame.image, seen, mesh, min_face=config.min_face)
        kept = found[: config.max_faces] if config.max_faces else found
        return [writer.placed(face) for face in kept]

    return find


def _sentences(plan: RedoPlan, done: Redone, sources: Sequence[Source]) -> list[str]:
    found = [problem for source in sources for problem in source.problems]
    found += [
        f"{name} never had debug pictures and was left alone; run extract with --debug for them."
        for name in plan.left_out
    ]
    if not plan.n_frames:
        found.append("Every frame has its debug picture, so nothing was looked at again.")
    if done.without_face:
        found.append(
            f"Nothing was found in {_listed(done.without_face)}; these frames need landmarks set by "
            "hand, or have no face."
        )
    if done.unread:
        found.append(
            f"{_listed(done.unread)} could not be looked at: not among the pictures, not in the "
            "videos, or damaged. Their faces stay as they are."
        )
    return found


def _listed(stems: Sequence[str]) -> str:
    more = f" and {len(stems) - _SHOWN} more" if len(stems) > _SHOWN else ""
    word = "frame" if len(stems) == 1 else "frames"
    return f"{word} {', '.join(stems[:_SHOWN])}{more}"
