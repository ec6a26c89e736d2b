# pyright: strict
"""Merging all frames: decode, predict in batches, compose and write in threads.

One thread decodes ahead, this one crops and asks the model, a pool composes and writes. Every
finished frame is noted, so the run may be stopped or killed at any moment.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dflcolab.config import to_plain
from dflcolab.errors import Interrupted
from dflcolab.files import write_bytes
from dflcolab.media.frame_sequence import encode_image
from dflcolab.merging.composite import composite_frame
from dflcolab.merging.face import FaceToMerge
from dflcolab.merging.faces_of_frames import FacesOfFrames
from dflcolab.merging.frame_source import DstFrame, DstFrames
from dflcolab.merging.journal import Done, MergeJournal, frame_key
from dflcolab.merging.look import Look
from dflcolab.merging.motion import STILL, Motion, motions
from dflcolab.merging.networks import Networks, Question
from dflcolab.merging.options import CompositeOptions
from dflcolab.merging.prefetch import prefetched
from dflcolab.progress import Progress, Task

_RESULT_VERSION = 2
"""Raised when the same inputs give other pictures, so that old ones are made anew."""

Stamp = Callable[[bytes, str, int], bytes]
"""Signs a picture file: its bytes, its name and the number of replaced faces to the signed bytes."""


@dataclass(frozen=True)
class MergeJob:
    """Everything a merge depends on.

    Attributes:
        frames: The dst footage.
        faces: Which faces to replace in which frame.
        networks: The model, and those that some options need besides.
        model_identity: Text that changes when the model's weights change.
        look: The options of each frame.
        folder: Where merged frames go; must exist.
        mask_folder: Where their masks go; must exist.
        stamp: Signs a merged picture; None leaves it unsigned.
        start: First frame.
        stop: End of the frames, not included; None for all.
        threads: Threads that compose and write.
        notes: Said about the run in `merge.json`, without meaning for what is made anew.
    """

    frames: DstFrames
    faces: FacesOfFrames
    networks: Networks
    model_identity: str
    look: Look
    folder: Path
    mask_folder: Path
    stamp: Stamp | None = None
    start: int = 0
    stop: int | None = None
    threads: int = 2
    notes: Mapping[str, Any] = field(default_factory=dict[str, Any])


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


@dataclass(frozen=True)
class _Work:
    """One decoded frame and its faces."""

    frame: DstFrame
    faces: Sequence[FaceToMerge]


def merge_frames(job: MergeJob, *, progress: Progress) -> MergeCounts:
    """Merge the frames of a job that are not merged yet.

    Raises:
        Interrupted: Somebody asked to stop; finished frames are kept.
        ModelError: The model's answers are not numbers.
        MediaError: The footage cannot be read.
        StorageError: The disk is full, read-only or gone.
    """
    with MergeJournal(job.folder, job.mask_folder) as journal:
        return _Merge(job, journal, progress).run()


class _Merge:
    """One run of `merge_frames`."""

    def __init__(self, job: MergeJob, journal: MergeJournal, progress: Progress) -> None:
        self._job = job
        self._journal = journal
        self._progress = progress
        self._counts = MergeCounts()
        self._facts = run_facts(job)
        self._run_text = json.dumps(self._facts, sort_keys=True)
        self._motions: Mapping[str, Motion] = {}
        self._index = {stem: i for i, stem in enumerate(job.frames.stems)}
        self._look_texts: dict[CompositeOptions, str] = {}
        self._running: deque[Future[int]] = deque()
        self._shown_kept = 0
        self._failed = False
        self._seen: set[str] = set()

    def run(self) -> MergeCounts:
        job = self._job
        all_stems = job.frames.stems
        stems = all_stems[job.start : job.stop]
        if any(self._options(stem).motion_blur_power for stem in stems):
            self._motions = motions(all_stems, job.faces.by_stem)
        self._announce(stems)
        with (
            self._progress.task("Merging", total=len(stems), unit="frames") as task,
            ThreadPoolExecutor(job.threads, thread_name_prefix="merge") as pool,
        ):
            try:
                with closing(self._predicted()) as works:
                    for work in works:
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

    def _announce(self, stems: Sequence[str]) -> None:
        """Say what an earlier run left, and note what this one is about."""
        outdated = self._journal.n_outdated({stem: self._key(stem) for stem in stems})
        if outdated:
            self._progress.message(
                f"{outdated} frames were merged with other settings, faces or weights before; they "
                "are made anew, and each old picture stays until its new one stands."
            )
        look = self._job.look.plain()
        text = json.dumps([self._facts, look], sort_keys=True)
        fingerprint = hashlib.sha256(text.encode()).hexdigest()
        self._journal.describe_run(
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
        run = f"{self._run_text}\0{self._look_text(options)}"
        return frame_key(run, footage, self._job.faces.of(stem))

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
        if self._journal.holds(stem, self._key(stem)):
            self._counts.kept += 1
            self._counts.kept_with_face += bool(self._job.faces.of(stem))
            return False
        return True

    def _predicted(self) -> Generator[_Work, None, None]:
        """Decoded frames with their predictions, the model being asked in batches."""
        job, batch = self._job, self._job.networks.batch
        walk = job.frames.walk(job.start, job.stop, self._is_wanted)
        waiting: list[DstFrame] = []
        n_faces = 0
        with closing(prefetched(walk, depth=2 * job.threads)) as frames:
            for frame in frames:
                waiting.append(frame)
                n_faces += len(job.faces.of(frame.stem))
                # Frames without faces wait with the others, to keep the memory in bounds.
                if n_faces >= batch or len(waiting) >= 2 * batch:
                    yield from self._predict(waiting)
                    waiting, n_faces = [], 0
            yield from self._predict(waiting)

    def _predict(self, frames: Sequence[DstFrame]) -> Iterator[_Work]:
        faces_of = self._job.faces.of
        places = [(i, points) for i, frame in enumerate(frames) for points in faces_of(frame.stem)]
        questions = [
            Question(frames[i].image, points, self._options(frames[i].stem)) for i, points in places
        ]
        faces: list[list[FaceToMerge]] = [[] for _ in frames]
        for (i, _), face in zip(places, self._job.networks.answer(questions), strict=True):
            faces[i].append(face)
        yield from map(_Work, frames, faces)

    def _finish(self, work: _Work) -> int:
        """Compose one frame, write and note it; runs in the pool. Gives the number of faces."""
        job, stem, faces = self._job, work.frame.stem, work.faces
        image, mask = composite_frame(
            work.frame.image,
            faces,
            face_type=job.networks.predictor.face_type,
            options=self._options(stem),
            motion=self._motion(stem),
            resolution=job.networks.predictor.resolution,
        )
        mask_data = encode_image(mask, ".png")
        write_bytes(self._journal.mask_path(stem), mask_data, durable=False)
        path = self._journal.picture_path(stem)
        data = encode_image(image, ".png")
        if job.stamp is not None:
            data = job.stamp(data, path.name, len(faces))
        write_bytes(path, data, durable=False)
        self._journal.note(stem, Done(self._key(stem), len(data), len(mask_data)))
        return len(faces)

    def _collect(self, task: Task, *, at_most: int) -> None:
        """Count finished frames until no more than `at_most` are under way."""
        first_error: BaseException | None = None
        while len(self._running) > at_most or (self._running and self._running[0].done()):
            try:
                n_faces = self._running.popleft().result()
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


def run_facts(job: MergeJob) -> dict[str, Any]:
    """What all frames of a merge depend on whatever their look, as plain values."""
    return {
        "result_version": _RESULT_VERSION,
        "weights": job.model_identity,
        "resolution": job.networks.predictor.resolution,
        "face_type": job.networks.predictor.face_type.value,
        "signed": job.stamp is not None,
    }
