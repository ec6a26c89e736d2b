"""Scalars, pictures and events of a training for TensorBoard, as an option.

The files are TensorBoard's own: records of `Event` messages, written here one by one, since a
preview is a JPEG already and TensorFlow's writer would decode it only to make a PNG of it.

A killed run writes beyond its last checkpoint, and a roll-back goes back. TensorBoard has a mark for
that, the start of a session at a step: it forgets what it read of that step and later ones. The log
sets it at the first iteration that a session makes, and whenever the iteration has fallen.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dflcolab.backend import tf
from dflcolab.files import storage_errors
from dflcolab.training.trainer import TrainingLoop
from dflcolab.watch.looks import Look

_VERSION = "brain.Event:2"
_LOSS_EVERY = 20
_FLUSH_SECONDS = 20.0


class TensorBoardLog:
    """Callback of the training loop, with a method for looks and one for events.

    Put it behind the callback that draws previews.

    Args:
        folder: `history/<model>/tensorboard`; pretraining and training are two runs in it.
        previews: Folder with `preview-000000500.jpg` …
        preview_every: Iterations between two of them; 0 = none.
        loss_every: Iterations between two losses, at least.
    """

    def __init__(
        self,
        folder: Path,
        *,
        previews: Path,
        preview_every: int,
        loss_every: int = _LOSS_EVERY,
    ) -> None:
        self._folder = folder
        self._previews = previews
        self._preview_every = preview_every
        self._loss_every = loss_every
        self._writers: dict[str, EventFile] = {}
        self._seen: tuple[float, ...] | None = None
        self._written_at = 0
        self._at: int | None = None

    def __call__(self, loop: TrainingLoop) -> None:
        """Write the losses that were read last, and a preview that was drawn at this iteration."""
        iteration = loop.session.iteration
        writer = self._writer(pretraining=loop.session.options.pretrain)
        if self._at is None or iteration < self._at:  # a new session, or a roll-back
            writer.begin_at(iteration)
            self._written_at = iteration - self._loss_every
        self._at = iteration
        due = iteration - self._written_at >= self._loss_every
        if due and loop.recent is not self._seen and np.isfinite(loop.recent).all():
            self._seen, self._written_at = loop.recent, iteration
            src, dst = loop.recent
            writer.scalars(iteration, {"loss/src": src, "loss/dst": dst})
        if self._preview_every and iteration % self._preview_every == 0:
            path = self._previews / f"preview-{iteration:09d}.jpg"
            if path.is_file():
                writer.jpeg(iteration, "preview", path.read_bytes())

    def look(self, look: Look) -> None:
        """Write the means of all measures of a look, under their names."""
        means = {name: sample.mean for name, sample in look.measures.items()}
        self._writer(pretraining=look.phase == "pretraining").scalars(look.iteration, means)

    def event(self, entry: Mapping[str, Any], *, pretraining: bool = False) -> None:
        """Write an event of the history as a text.

        Args:
            entry: With `iteration`, `kind` and `text`; everything else is a fact.
            pretraining: It belongs to the pretraining.
        """
        facts = {k: v for k, v in entry.items() if k not in ("iteration", "kind", "text")}
        shown = f"{entry.get('text', '')}\n\n    {json.dumps(facts)}" if facts else entry["text"]
        writer = self._writer(pretraining=pretraining)
        # A roll-back stands where training goes on from: the mark that follows voids all beyond.
        step = int(entry.get("back_to", entry["iteration"]))
        writer.text(step, f"events/{entry['kind']}", str(shown))

    def close(self) -> None:
        """Bring everything to the disk and close the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _writer(self, *, pretraining: bool) -> EventFile:
        name = "pretraining" if pretraining else "training"
        if name not in self._writers:
            self._writers[name] = EventFile(self._folder / name)
        return self._writers[name]


class EventFile:
    """A file that TensorBoard reads; it is made with the first value or mark.

    Args:
        folder: Where it goes; older files of the same run may lie there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None
        self._flushed = 0.0

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write numbers by name; those that are no finite numbers are left out."""
        finite = {name: value for name, value in values.items() if np.isfinite(value)}
        self._write(
            step,
            [
                tf.compat.v1.Summary.Value(tag=name, simple_value=float(value))
                for name, value in finite.items()
            ],
        )

    def jpeg(self, step: int, name: str, data: bytes) -> None:
        """Write a picture that is a JPEG file already."""
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        if picture is None:  # cut short by a full disk
            return
        height, width = picture.shape[:2]
        image = tf.compat.v1.Summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=data
        )
        self._write(step, [tf.compat.v1.Summary.Value(tag=name, image=image)])

    def text(self, step: int, name: str, text: str) -> None:
        """Write a text; TensorBoard shows it as Markdown."""
        metadata = tf.compat.v1.SummaryMetadata()
        metadata.plugin_data.plugin_name = "text"
        tensor = tf.make_tensor_proto([text.encode()], dtype=tf.string, shape=[1])
        self._write(step, [tf.compat.v1.Summary.Value(tag=name, metadata=metadata, tensor=tensor)])

    def begin_at(self, step: int) -> None:
        """What was written of this step and later ones, in this file and earlier ones, is void."""
        with storage_errors(self._folder):
            start = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
            _put(self._writer or self._open(), step=step, session_log=start)

    def close(self) -> None:
        """Bring everything to the disk."""
        if self._writer is not None:
            with storage_errors(self._folder):
                self._writer.close()
            self._writer = None

    def _write(self, step: int, values: list[Any]) -> None:
        if not values:
            return
        with storage_errors(self._folder):
            writer = self._writer or self._open()
            _put(writer, step=step, summary=tf.compat.v1.Summary(value=values))
            if time.monotonic() - self._flushed > _FLUSH_SECONDS:
                writer.flush()
                self._flushed = time.monotonic()

    def _open(self) -> Any:
        """A new file, later by name than those of earlier runs: they are read in that order."""
        self._folder.mkdir(parents=True, exist_ok=True)
        number = 1 + max((_number_of(path) for path in self._folder.iterdir()), default=0)
        number = max(number, int(time.time()))
        name = f"events.out.tfevents.{number:010d}.{os.getpid()}"
        writer = self._writer = tf.io.TFRecordWriter(str(self._folder / name))
        self._flushed = time.monotonic()
        _put(writer, file_version=_VERSION)
        return writer


def _put(writer: Any, **content: Any) -> None:
    event = tf.compat.v1.Event(wall_time=time.time(), **content)
    writer.write(event.SerializeToString())


def _number_of(path: Path) -> int:
    """The number in the name of an event file; 0 for other files."""
    parts = path.name.split(".")
    known = path.name.startswith("events.out.tfevents.") and parts[3].isdigit()
    return int(parts[3]) if known else 0
