# pyright: strict
"""Merging all frames: decode, predict in batches, compose and write in threads.

One thread decodes ahead, this one crops and asks the model, a pool composes and hands the frames to
an output, which writes and notes them. So the run may be stopped or killed at any moment.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field

from dflcolab.config import to_plain
from dflcolab.errors import Interrupted
from dflcolab.merging.composite import composite_frame
from dflcolab.merging.face import FaceToMerge
from dflcolab.merging.faces_file import write_merged_faces
from dflcolab.merging.frame_source import DstFrame
from dflcolab.merging.job import MergeJob, merged_faces, run_facts
from dflcolab.merging.journal import frame_key
from dflcolab.merging.motion import STILL, Motion, motions
from dflcolab.merging.networks import Question
from dflcolab.merging.options import CompositeOptions
from dflcolab.merging.output import Deliver, MergedFrame, MergeOutput, PictureOutput
from dflcolab.merging.steady_faces import PredictedFrame, reach, steady_faces
from dflcolab.pipes import prefetch
from dflcolab.progress import Progress, Task


@dataclass
class MergeCounts:
    """What a merge did.

    Attributes:
        merged: Frames made now in which a face was replaced.
        passed: Frames made now without a face: unchanged.
        kept: Frames that stood from an earlier run.
        kept_with_face: Of these, frames in which a face is replaced.
        faces: Faces replaced now.
        unmatched: Frames that faces name but the footage does not have; known only when all
            frames were asked for.
    """

    merged: int = 0
    passed: int = 0
    kept: int = 0
    kept_with_face: int = 0
    faces: int = 0
    unmatched: list[str] = field(default_factory=list[str])

    @property
    def total(self) -> int:
        """Frames that stand now."""
        return self.merged + self.passed + self.kept


def merge_frames(
    job: MergeJob, *, progress: Progress, output: MergeOutput | None = None
) -> MergeCounts:
    """Merge the frames of a job that are not merged yet.

    Args:
        job: What is merged.
        progress: Shown to the user, and asked for a wish to stop.
        output: Where the frames go; None: pictures in the job's folders.

    Raises:
        Interrupted: Somebody asked to stop; finished frames are kept.
        ModelError: The model's answers are not numbers.
        MediaError: The footage cannot be read.
        StorageError: The disk is full, read-only or gone.
    """
    with output or PictureOutput(job) as opened:
        return _Merge(job, opened, progress).run()


class _Merge:
    """One run of `merge_frames`."""

    def __init__(self, job: MergeJob, output: MergeOutput, progress: Progress) -> None:
        self._job = job
        self._output = output
        self._progress = progress
        self._counts = MergeCounts()
        self._facts = run_facts(job)
        self._run_text = json.dumps(self._facts, sort_keys=True)
        self._motions: Mapping[str, Motion] = {}
        self._index = {stem: i for i, stem in enumerate(job.frames.stems)}
        self._look_texts: dict[CompositeOptions, str] = {}
        self._running: deque[Future[tuple[int, Deliver | None]]] = deque()
        self._shown_kept = 0
        self._failed = False
        self._seen: set[str] = set()
        self._context: set[str] = set()
        self._reach = 0

    def run(self) -> MergeCounts:
        job = self._job
        all_stems = job.frames.stems
        stems = all_stems[job.start : job.stop]
        if any(self._options(stem).motion_blur_power for stem in all_stems):
            self._motions = motions(all_stems, job.faces.by_stem)
        self._announce(stems)
        self._find_context(stems)
        write_merged_faces(job.folder, merged_faces(job))
        with (
            self._progress.task("Merging", total=len(stems), unit="frames") as task,
            ThreadPoolExecutor(job.threads, thread_name_prefix="merge") as pool,
        ):
            try:
                with closing(self._predicted()) as works:
                    for work in works:
                        if work.frame.stem in self._context:
                            continue
                        self._running.append(pool.submit(self._finish, work))
                        self._collect(task, at_most=job.networks.batch + 2 * job.threads)
            except BaseException:
                self._failed = True
                raise
            finally:
                # Whatever happened: what is being written is finished.
                self._collect(task, at_most=0)
        if job.start == 0 and job.stop is None:
            self._counts.unmatched = sorted(set(job.faces.by_stem) - self._seen)
        return self._counts

    def _find_context(self, stems: Sequence[str]) -> None:
        """Frames that are predicted, but not written, because others are smoothed by them."""
        reaches = {stem: reach(self._options(stem)) for stem in stems}
        self._reach = max(reaches.values(), default=0)
        if not self._reach:
            return
        made = {stem for stem in stems if not self._output.holds(stem, self._key(stem))}
        around = {
            sight.stem
            for stem in made
            for place in range(len(self._job.faces.of(stem)))
            for sight in self._job.stretches.around(stem, place, reaches[stem])
        }
        self._context = around - made

    def _announce(self, stems: Sequence[str]) -> None:
        """Say what an earlier run left, and note what this one is about."""
        outdated = self._output.begin(stems, self._key)
        if outdated:
            self._progress.message(
                f"{outdated} frames were merged with other settings, faces or weights before; they "
                "are made anew, and each old one stays until its new one stands."
            )
        look = self._job.look.plain()
        text = json.dumps([self._facts, look], sort_keys=True)
        fingerprint = hashlib.sha256(text.encode()).hexdigest()
        self._output.describe_run(
            {
                **self._job.notes,
                "fingerprint": fingerprint,
                "depends_on": self._facts,
                "look": look,
            }
        )

    def _options(self, stem: str) -> CompositeOptions:
        """The look of a frame; one that the video's header did not count looks like the one behind."""
        return self._job.look.at(self._index.get(stem, len(self._index)))

    def _motion(self, stem: str) -> Motion:
        """How the face moves there, if the look of the frame asks for it."""
        blurred = self._options(stem).motion_blur_power
        return self._motions.get(stem, STILL) if blurred else STILL

    def _key(self, stem: str) -> str:
        """What the result of a frame depends on."""
        motion, options = self._motion(stem), self._options(stem)
        footage = f"{self._job.frames.identity(stem)} {motion.power} {motion.deg}"
        for place in range(len(self._job.faces.of(stem))):
            person = self._job.person_at(stem, place)
            footage += f" {person.identity}" if person is not None else ""
            footage += self._neighbors_text(stem, place, reach(options))
        run = f"{self._run_text}\0{self._look_text(options)}"
        return frame_key(run, footage, self._job.faces.of(stem))

    def _neighbors_text(self, stem: str, place: int, radius: int) -> str:
        """What the masks and colors of a face are smoothed with."""
        if not radius:
            return ""
        digest = hashlib.sha256()
        for sight in self._job.stretches.around(stem, place, radius):
            points = self._job.faces.by_stem[sight.stem][sight.place]
            look = self._look_text(self._options(sight.stem))
            digest.update(f"{self._job.frames.identity(sight.stem)}{look}".encode())
            digest.update(points.tobytes())
        return digest.hexdigest()

    def _look_text(self, options: CompositeOptions) -> str:
        """Options, and the networks that they alone need, as text; the same for many frames."""
        if options not in self._look_texts:
            facts = {**to_plain(options), **self._job.networks.depends_on(options)}
            self._look_texts[options] = json.dumps(facts, sort_keys=True)
        return self._look_texts[options]

    def _is_wanted(self, stem: str) -> bool:
        """Asked by the decoding thread for each frame; finished ones need no decoding."""
        self._progress.raise_if_stopped(
            "Merging stopped as asked; run the same command again to go on."
        )
        if self._failed:
            raise Interrupted("Merging stopped because of another error.")
        self._seen.add(stem)
        if self._output.holds(stem, self._key(stem)):
            self._counts.kept += 1
            self._counts.kept_with_face += bool(self._job.faces.of(stem))
            return stem in self._context
        return True

    def _is_decoded(self, stem: str) -> bool:
        """Asked for frames beside the wanted part too, if others are smoothed by them."""
        index = self._index.get(stem, len(self._index))
        stop = self._job.stop
        if index < self._job.start or (stop is not None and index >= stop):
            return stem in self._context
        return self._is_wanted(stem)

    def _predicted(self) -> Generator[PredictedFrame, None, None]:
        """Decoded frames with their predictions, steadied over time where the look asks for it."""
        found = self._answered()
        if not self._reach:
            yield from found
            return
        yield from steady_faces(found, self._job.stretches, self._options, self._reach)

    def _answered(self) -> Generator[PredictedFrame, None, None]:
        """Decoded frames with their predictions, the models being asked in batches."""
        job, batch = self._job, self._job.networks.batch
        start = max(0, job.start - self._reach)
        stop = None if job.stop is None else job.stop + self._reach
        walk = job.frames.walk(start, stop, self._is_decoded, deep=job.deep)
        waiting: list[DstFrame] = []
        n_faces = 0
        with closing(prefetch(walk, 2 * job.threads, name="frames")) as frames:
            for frame in frames:
                waiting.append(frame)
                n_faces += len(job.faces.of(frame.stem))
                # Frames without faces wait with the others, to keep the memory in bounds.
                if n_faces >= batch or len(waiting) >= 2 * batch:
                    yield from self._predict(waiting)
                    waiting, n_faces = [], 0
            yield from self._predict(waiting)

    def _predict(self, frames: Sequence[DstFrame]) -> Iterator[PredictedFrame]:
        faces_of = self._job.faces.of
        places = [
            (i, place, points)
            for i, frame in enumerate(frames)
            for place, points in enumerate(faces_of(frame.stem))
        ]
        questions = [
            (
                frames[i].stem,
                place,
                Question(frames[i].image, points, self._options(frames[i].stem)),
            )
            for i, place, points in places
        ]
        faces: list[list[FaceToMerge]] = [[] for _ in frames]
        for (i, _, _), face in zip(places, self._job.answer(questions), strict=True):
            faces[i].append(face)
        for frame, found in zip(frames, faces, strict=True):
            index = self._index.get(frame.stem, len(self._index))
            yield PredictedFrame(index, frame, found)

    def _finish(self, work: PredictedFrame) -> tuple[int, Deliver | None]:
        """Compose one frame and hand it over; runs in the pool. Gives the number of faces."""
        job, stem, faces = self._job, work.frame.stem, work.faces
        image, mask = composite_frame(
            work.frame.image,
            faces,
            face_type=job.networks.predictor.face_type,
            options=self._options(stem),
            motion=self._motion(stem),
            resolution=job.networks.predictor.resolution,
        )
        merged = MergedFrame(work.frame, image, mask, len(faces), self._key(stem))
        return len(faces), self._output.prepare(merged)

    def _collect(self, task: Task, *, at_most: int) -> None:
        """Count finished frames until no more than `at_most` are under way."""
        first_error: BaseException | None = None
        while len(self._running) > at_most or (self._running and self._running[0].done()):
            try:
                n_faces, deliver = self._running.popleft().result()
                if deliver is not None and first_error is None and not self._failed:
                    deliver()
            except BaseException as error:  # noqa: BLE001 - the first one is raised below
                first_error = first_error or error
                continue
            self._counts.faces += n_faces
            if n_faces:
                self._counts.merged += 1
            else:
                self._counts.passed += 1
            task.advance()
        kept = self._counts.kept
        task.advance(kept - self._shown_kept)
        self._shown_kept = kept
        if first_error is not None:
            raise first_error
