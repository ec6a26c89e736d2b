"""`extract`: from the videos or frames of a side to its faceset.

Safe to run again: only frames that are not in the journal are looked at, nothing is deleted, and a
face that somebody deleted stays deleted.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2

from dflcolab.detection.detector import FaceDetector
from dflcolab.detection.mesh import FaceMesh
from dflcolab.errors import FacesetError, FormatError, WorkspaceError
from dflcolab.extraction.config import ExtractConfig
from dflcolab.extraction.extractor import Extractor
from dflcolab.extraction.journal import FILE_NAME, Journal, forget
from dflcolab.extraction.report import ExtractReport, Stopwatch
from dflcolab.extraction.sources import PictureSource, Source, VideoSource
from dflcolab.extraction.writing import FaceWriter
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.folder_lock import using
from dflcolab.faceset.renaming import recover
from dflcolab.files import list_files, storage_errors
from dflcolab.formats.dfl_jpeg import read_record
from dflcolab.media.frame_sequence import list_frames
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Workspace

_PAK = "faceset.pak"
_LEFTOVER = re.compile(r"^\..+\.[0-9a-f]{8}\.tmp\.jpg$")
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
        FacesetError: No face at all; other options than before; a pack is in the way.
        MediaError: A video is none.
        Interrupted: Stopped as asked; all before is safe.
        StorageError: Disk full, read-only or gone.
    """
    progress = progress or Progress()
    begin = time.perf_counter()
    face_type = config.face_type or workspace.settings.face_type
    size = config.size_for(face_type)
    aligned_dir = workspace.aligned_dir(config.side)
    if (aligned_dir / _PAK).exists():
        raise FacesetError(
            f"{aligned_dir / _PAK} holds this side's faces in packed form; run "
            f"`dflcolab unpack -w {workspace.root} --side {config.side.value}` first."
        )
    sources = _sources(workspace, config)
    if config.device == "gpu":
        progress.message(_DEVICE_NOTE)
    debug_dir = workspace.debug_dir(config.side) if config.wants_debug else None
    _prepare(aligned_dir, debug_dir)
    recover(aligned_dir)  # faces of a sort that was killed half-way are not gone
    watch = Stopwatch()
    journal_path = workspace.frames_dir(config.side) / FILE_NAME
    if not list_files(aligned_dir, (".jpg",)):
        forget(journal_path)
    foreign = {} if journal_path.exists() else _foreign_faces(aligned_dir, face_type)
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
    with using(aligned_dir, progress=progress), Journal(journal_path, options) as journal:
        _check_identities(sources, journal, aligned_dir)
        if foreign:
            progress.message(
                f"{aligned_dir} holds faces of {len(foreign)} frames from another program; those "
                "frames are left alone."
            )
            _take_over(foreign, sources, journal)
        new_frames, new_faces = _run(extractor, sources, journal, config, progress)
        counts = [n for log in journal.sources.values() for n in log.faces.values()]
    problems = _unread_videos(workspace, config, sources)
    problems += [problem for source in sources for problem in source.problems]
    for problem in problems:
        progress.message(problem)
    if not any(counts):
        raise FacesetError(_no_face(sources, len(counts), config, problems))
    seconds = time.perf_counter() - begin
    return ExtractReport(
        side=config.side,
        frames=len(counts),
        frames_with_face=sum(n > 0 for n in counts),
        faces=sum(counts),
        new_frames=new_frames,
        new_faces=new_faces,
        seconds=round(seconds, 3),
        frames_per_second=round(new_frames / seconds, 2),
        face_type=face_type.value,
        size=size,
        stage_seconds=watch.seconds,
        problems=problems,
    )


def _run(
    extractor: Extractor,
    sources: Sequence[Source],
    journal: Journal,
    config: ExtractConfig,
    progress: Progress,
) -> tuple[int, int]:
    """All sources one after the other; frames and faces of this run."""
    new_frames = new_faces = 0
    with _one_opencv_thread():
        for source in sources:
            done = len(journal.source(source.name).faces)
            title = f"Extracting {config.side.value} from {source.name}"
            with progress.task(title, total=source.n_frames, unit="frames", done=done) as task:
                frames, faces = extractor.run(
                    source, journal, config.fps, progress=progress, task=task
                )
            new_frames += frames
            new_faces += faces
    return new_frames, new_faces


def _sources(workspace: Workspace, config: ExtractConfig) -> list[Source]:
    """The pictures of a side, or its videos."""
    folder = workspace.frames_dir(config.side)
    videos = workspace.videos(config.side)
    pictures = [] if config.from_video else list_frames(folder)
    if pictures:
        return [PictureSource(pictures)]
    if config.frames:
        raise WorkspaceError(
            f"{folder} holds no pictures; put frames there, or leave out --frames to read the video."
        )
    if not videos:
        raise WorkspaceError(
            f"There is nothing to extract for {config.side.value}: put a video named {folder.name}.mp4 "
            f"into {workspace.root}, or pictures into {folder}."
        )
    return [VideoSource(path, workspace.frame_prefix(path), config.fps) for path in videos]


def _unread_videos(
    workspace: Workspace, config: ExtractConfig, sources: Sequence[Source]
) -> list[str]:
    """A sentence if pictures that are no frames of the side's videos were taken instead of these."""
    videos = workspace.videos(config.side)
    if config.frames or not videos or not isinstance(sources[0], PictureSource):
        return []
    folder = workspace.frames_dir(config.side)
    prefixes = "|".join(re.escape(workspace.frame_prefix(video)) for video in videos)
    of_a_video = re.compile(rf"(?:{prefixes})\d{{5,}}")
    if all(of_a_video.fullmatch(path.stem) for path in list_frames(folder)):
        return []
    names = ", ".join(video.name for video in videos)
    text = (
        f"The pictures in {folder} were taken and {names} was not read; give --from-video for the "
        "video, or --frames to say that this is meant."
    )
    return [text]


def _prepare(aligned_dir: Path, debug_dir: Path | None) -> None:
    """Make the folders; remove what a killed run left half-written."""
    for folder in (aligned_dir, debug_dir):
        if folder is None:
            continue
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for path in folder.iterdir():
                if _LEFTOVER.match(path.name):
                    path.unlink(missing_ok=True)


def _check_identities(sources: Sequence[Source], journal: Journal, aligned_dir: Path) -> None:
    """Refuse a video that was exchanged for another one of the same name."""
    for source in sources:
        log = journal.source(source.name)
        if log.faces and log.identity != source.identity:
            raise FacesetError(
                f"{source.name} is not the file that the faces in {aligned_dir} came from; give the "
                f"new one another name (such as data_src_2.mp4) to add it, or rename that folder to "
                "start over."
            )


def _foreign_faces(aligned_dir: Path, face_type: FaceType) -> dict[str, int]:
    """Faces per frame (by the stem of its name) that another program extracted.

    Raises:
        FacesetError: They are of another type, so that the two would not mix.
    """
    found: dict[str, int] = {}
    for path in list_files(aligned_dir, (".jpg",)):
        try:
            record = read_record(path)
        except FormatError:
            continue  # damaged files are the faceset's business; nothing here reads them
        if record is None or record.source_filename is None:
            continue
        if record.assumed_face_type is not face_type:
            raise FacesetError(
                f"{aligned_dir} holds faces of type {record.assumed_face_type.value}, not "
                f"{face_type.value}; give --face-type {record.assumed_face_type.value}, or rename "
                "that folder to start over."
            )
        stem = Path(record.source_filename).stem
        found[stem] = found.get(stem, 0) + 1
    return found


def _take_over(foreign: dict[str, int], sources: Sequence[Source], journal: Journal) -> None:
    """Enter frames that have faces already into the journal."""
    for source in sources:
        keys = {source.key_of(stem): n_faces for stem, n_faces in foreign.items()}
        known = {key: n_faces for key, n_faces in keys.items() if key is not None}
        if known:
            journal.add(source.name, known, (), identity=source.identity, fps=None)


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


@contextmanager
def _one_opencv_thread() -> Iterator[None]:
    """OpenCV's own threads would fight with the stages' threads for the cores."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
