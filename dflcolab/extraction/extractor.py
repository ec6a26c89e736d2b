"""The extraction of one source: stages joined by queues, results committed in batches.

decode → look (detector, every few frames) → track (mesh) → align, encode, write → commit

Everything before the commit runs in threads; the heavy calls (FFmpeg, OpenCV, LiteRT) release
Python's lock, so two cores are kept busy. Only the caller's thread commits, in order, at the end of
a tracker's group: files first, then the journal.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from dflcolab.detection.detector import FaceDetector
from dflcolab.detection.mesh import FaceMesh
from dflcolab.extraction.journal import Journal
from dflcolab.extraction.report import Stopwatch
from dflcolab.extraction.sources import Source, SourceFrame
from dflcolab.extraction.tracking import LOOK_EVERY, TrackedFrame, Tracker, TrackState
from dflcolab.extraction.writing import FaceWriter, bring_to_disk
from dflcolab.imaging.cuts import CutFinder
from dflcolab.pipes import map_ordered, prefetch
from dflcolab.progress import Progress, Task

BATCH_FRAMES = 64
BATCH_SECONDS = 5.0

_LARGE_FRAME_BYTES = 8 << 20  # above full HD: hold fewer frames in the queues
_STOPPED = "Stopped as asked; what is extracted is safe, run the same command again to go on."

_Group = tuple[list[TrackedFrame[SourceFrame]], tuple[TrackState, ...]]


@dataclass
class Finished:
    """A tracker's group whose face files are written.

    Attributes:
        faces: Number of faces by key of the frame.
        state: What the tracker knew at the end of the group.
        paths: Files to bring to the disk before the group counts as done.
    """

    faces: dict[str, int]
    state: tuple[TrackState, ...]
    paths: list[Path] = field(default_factory=list[Path])


class Extractor:
    """Runs sources through detector, mesh and writer.

    Args:
        detector: Finds faces.
        mesh: Finds their points.
        writer: Stores faces and debug pictures.
        min_face: Smallest longer side of a face in frame pixels.
        max_faces: Most faces per frame; 0 keeps all.
        watch: Adds up the stages' times.
    """

    def __init__(
        self,
        *,
        detector: FaceDetector,
        mesh: FaceMesh,
        writer: FaceWriter,
        min_face: float,
        max_faces: int,
        watch: Stopwatch,
    ) -> None:
        self._detector = detector
        self._mesh = mesh
        self._writer = writer
        self._min_face = min_face
        self._max_faces = max_faces
        self._watch = watch

    def run(
        self, source: Source, journal: Journal, fps: float | None, *, progress: Progress, task: Task
    ) -> tuple[int, int]:
        """Extract what is missing of a source.

        Returns:
            Frames and faces of this run.

        Raises:
            Interrupted: A stop was asked for; everything before is committed.
            StorageError: Disk full, read-only or gone; what was committed before stays.
        """
        log = journal.source(source.name)
        resumed = log.faces and log.fps == fps
        last = next(reversed(log.faces)) if resumed else None
        tracker: Tracker[SourceFrame] = Tracker(
            self._mesh,
            self._detector.detect,
            min_face=self._min_face,
            state=log.state if resumed else (),
        )
        identity = source.identity
        n_frames = n_faces = 0
        batch = Finished({}, log.state)
        begun = time.monotonic()

        def commit() -> None:
            nonlocal batch, begun
            if batch.faces:
                with self._watch.time("commit"):
                    bring_to_disk(batch.paths)
                    journal.add(
                        source.name,
                        batch.faces,
                        batch.state,
                        identity=identity,
                        fps=fps,
                        debug=self._writer.writes_debug,
                    )
            batch = Finished({}, batch.state)
            begun = time.monotonic()

        n_workers = max(2, n_cores() - 1)
        with ThreadPoolExecutor(n_workers, "extract") as pool:
            done = frozenset(log.faces)
            with closing(self._stages(source, done, last, tracker, pool)) as finished:
                for group in finished:
                    batch.faces.update(group.faces)
                    batch.paths.extend(group.paths)
                    batch.state = group.state
                    n_frames += len(group.faces)
                    n_faces += sum(group.faces.values())
                    task.advance(len(group.faces), note=f"{n_faces} faces")
                    full = len(batch.faces) >= BATCH_FRAMES
                    if full or time.monotonic() - begun > BATCH_SECONDS:
                        commit()
                    if progress.stop_requested:
                        break
        commit()
        progress.raise_if_stopped(_STOPPED)
        return n_frames, n_faces

    def _stages(
        self,
        source: Source,
        done: frozenset[str],
        last: str | None,
        tracker: Tracker[SourceFrame],
        pool: Executor,
    ) -> Generator[Finished, None, None]:
        """All stages up to the written files, as one generator."""
        read = self._timed(source.frames(done, last, pool))
        first = next(read, None)
        if first is None:
            return
        large = first.image.nbytes > _LARGE_FRAME_BYTES
        frames = prefetch(_chain(first, read), 2 if large else 8, name="decode")
        marked = _marked(frames)
        looked = map_ordered(pool, self._look, marked, 2 if large else 4)
        groups = prefetch(self._tracked(tracker, looked), 1 if large else 2, name="track")
        yield from map_ordered(pool, self._finish, groups, 1 if large else 3)

    def _timed(self, frames: Iterable[SourceFrame]) -> Generator[SourceFrame, None, None]:
        iterator = iter(frames)
        try:
            while True:
                with self._watch.time("decode"):
                    frame = next(iterator, None)
                if frame is None:
                    return
                yield frame
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()

    def _look(self, marked: tuple[SourceFrame, bool, bool]) -> TrackedFrame[SourceFrame]:
        """Let the detector see a frame, if it is its turn."""
        frame, look, cut = marked
        detections = None
        if look:
            with self._watch.time("detect"):
                detections = self._detector.detect(frame.image)
        return TrackedFrame(frame, frame.image, detections, cut)

    def _tracked(
        self, tracker: Tracker[SourceFrame], frames: Iterable[TrackedFrame[SourceFrame]]
    ) -> Generator[_Group, None, None]:
        """Run the tracker, counting the time it does not wait for frames."""
        waited = 0.0

        def waiting() -> Generator[TrackedFrame[SourceFrame], None, None]:
            nonlocal waited
            with closing(_generator(frames)) as iterator:
                while True:
                    begin = time.perf_counter()
                    frame = next(iterator, None)
                    waited += time.perf_counter() - begin
                    if frame is None:
                        return
                    yield frame

        with closing(tracker.run(waiting())) as groups:
            while True:
                begin, waited = time.perf_counter(), 0.0
                group = next(groups, None)
                self._watch.add("track", time.perf_counter() - begin - waited)
                if group is None:
                    return
                yield group

    def _finish(self, group: _Group) -> Finished:
        """Write the faces and debug pictures of a group."""
        frames, state = group
        finished = Finished({}, state)
        for frame in frames:
            faces = frame.faces[: self._max_faces] if self._max_faces else frame.faces
            finished.paths.extend(self._writer.write(frame.item, faces))
            finished.faces[frame.item.key] = len(faces)
        return finished


def n_cores() -> int:
    """Processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def _marked(
    frames: Iterable[SourceFrame],
) -> Generator[tuple[SourceFrame, bool, bool], None, None]:
    """Add to each frame: whether the detector looks, and whether it begins a shot.

    Frames that are done are only taken notice of as predecessors.
    """
    cuts = CutFinder()
    expected = -1
    with closing(_generator(frames)) as iterator:
        for frame in iterator:
            changed = cuts.is_cut(frame.image)
            follows = frame.position == expected and not frame.single
            expected = frame.position + 1
            if frame.done:
                continue
            cut = changed or not follows
            yield frame, cut or frame.position % LOOK_EVERY == 0, cut


def _chain(
    first: SourceFrame, others: Generator[SourceFrame, None, None]
) -> Generator[SourceFrame, None, None]:
    with closing(others):
        yield first
        yield from others


def _generator(items: Iterable[TrackedFrame[SourceFrame]] | Iterable[SourceFrame]) -> Generator:  # type: ignore[type-arg]
    """Iterables of the stages are generators; this only tells the type checker."""
    assert isinstance(items, Generator)
    return items
