"""What a training leaves for TensorBoard, read back: no step twice, also after kills and roll-backs."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dflcolab.media.frame_sequence import encode_image
from dflcolab.training.tensorboard import EventFile, TensorBoardLog
from dflcolab.watch.looks import Look, Sample


def read(folder: Path) -> list[tuple[str, int, Any]]:
    """Tag, step and value of everything that counts, by the rules of TensorBoard."""
    found: list[tuple[str, int, Any]] = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            if event.HasField("session_log"):
                found = [item for item in found if item[1] < event.step]
            for value in event.summary.value:
                kind = value.WhichOneof("value")
                found.append((value.tag, event.step, getattr(value, kind)))
    return found


def _loop(*, pretrain: bool = False) -> Any:
    session = SimpleNamespace(iteration=0, options=SimpleNamespace(pretrain=pretrain))
    return SimpleNamespace(session=session, recent=(np.nan, np.nan))


def _run(log: TensorBoardLog, first: int, last: int, *, level: float) -> None:
    loop = _loop()
    for iteration in range(first, last + 1):
        loop.session.iteration = iteration
        if iteration % 10 == 0:
            loop.recent = (level + iteration / 1000, level)
        log(loop)
        if iteration % 50 == 0:
            log.look(_look(iteration, level))
    log.close()


def _look(iteration: int, level: float, phase: str = "warp") -> Look:
    sample = Sample((level, level + 1), (1, 3))
    unknown = Sample((float("nan"),), (1,))
    measures = {"src/held_out/loss": sample, "src/held_out/psnr": unknown}
    return Look(iteration, phase, "x", measures)


def _log(folder: Path, **options: Any) -> TensorBoardLog:
    return TensorBoardLog(folder / "board", previews=folder, **{"preview_every": 0, **options})


def test_losses_looks_previews_and_events_are_there(tmp_path: Path):
    jpeg = encode_image(np.full((40, 60, 3), 90, np.uint8), ".jpg", quality=90)
    (tmp_path / "preview-000000100.jpg").write_bytes(jpeg)
    log = _log(tmp_path, preview_every=100)
    log.event({"iteration": 0, "kind": "start", "text": "Begun.", "seed": 3})

    _run(log, 1, 200, level=2.0)

    found = read(tmp_path / "board" / "training")
    losses = [(step, value) for tag, step, value in found if tag == "loss/src"]
    assert [step for step, _ in losses] == list(
        range(10, 201, 20)
    )  # read every 10, written every 20
    assert losses[0][1] == pytest.approx(2.01)
    held_out = [(step, value) for tag, step, value in found if tag == "src/held_out/loss"]
    assert held_out == [(step, 2.75) for step in (50, 100, 150, 200)]  # 2 once, 3 three times
    assert not [tag for tag, _, _ in found if tag == "src/held_out/psnr"]  # no number
    (picture,) = [value for tag, step, value in found if tag == "preview" and step == 100]
    assert picture.encoded_image_string == jpeg
    assert (picture.width, picture.height) == (60, 40)
    (text,) = [value for tag, _, value in found if tag == "events/start"]
    assert text.string_val[0].decode() == 'Begun.\n\n    {"seed": 3}'


def test_a_resumed_run_has_no_step_twice(tmp_path: Path):
    _run(_log(tmp_path), 1, 260, level=2.0)  # killed; its last checkpoint was at 200

    _run(_log(tmp_path), 201, 300, level=1.0)

    found = read(tmp_path / "board" / "training")
    for tag in ("loss/src", "src/held_out/loss"):
        values = {step: value for name, step, value in found if name == tag}
        assert len(values) == len([1 for name, _, _ in found if name == tag])
        assert max(values) > 280
        assert all((value < 1.9) == (step > 200) for step, value in values.items())


def test_two_runs_within_a_second_are_read_in_order(tmp_path: Path):
    folder = tmp_path / "run"
    for number in range(12):
        file = EventFile(folder)
        file.begin_at(5)
        file.scalars(5, {"a": number})
        file.close()

    assert read(folder) == [("a", 5, 11.0)]
    assert len(list(folder.iterdir())) == 12


def test_what_the_state_that_is_gone_on_from_holds_stays(tmp_path: Path):
    _run(_log(tmp_path), 1, 110, level=2.0)  # its last checkpoint was at 100, with a look

    log = _log(tmp_path)
    log.event({"iteration": 100, "kind": "resume", "text": "Training goes on."})
    _run(log, 101, 160, level=1.0)

    found = read(tmp_path / "board" / "training")
    assert [step for tag, step, _ in found if tag == "src/held_out/loss"] == [50, 100, 150]
    assert [step for tag, step, _ in found if tag == "events/resume"] == [100]


def test_a_roll_back_takes_back_what_came_after(tmp_path: Path):
    log = _log(tmp_path)
    loop = _loop()
    for iteration in [*range(1, 150), *range(101, 131)]:
        loop.session.iteration = iteration
        loop.recent = (float(iteration), 0.0)
        log(loop)
        if iteration == 149:
            log.event({"iteration": 149, "kind": "rollback", "text": "Back.", "back_to": 100})
    log.close()

    told = [step for tag, step, _ in read(tmp_path / "board" / "training") if "rollback" in tag]
    assert told == [100]
    steps = [step for tag, step, _ in read(tmp_path / "board" / "training") if tag == "loss/src"]
    assert steps == [1, 21, 41, 61, 81, 101, 121]


def test_pretraining_is_a_run_of_its_own(tmp_path: Path):
    log = _log(tmp_path)
    log.look(_look(70, 5.0, phase="pretraining"))
    log.look(_look(0, 4.0))
    log.close()

    assert [step for _, step, _ in read(tmp_path / "board" / "pretraining")] == [70]
    assert [step for _, step, _ in read(tmp_path / "board" / "training")] == [0]


def test_tensorboard_itself_reads_the_same(tmp_path: Path):
    try:
        accumulator = importlib.import_module(
            "tensorboard.backend.event_processing.event_accumulator"
        )
    except ImportError:
        pytest.skip("TensorBoard is not installed; this TensorFlow does not bring it")
    jpeg = encode_image(np.full((8, 8, 3), 90, np.uint8), ".jpg", quality=90)
    (tmp_path / "preview-000000250.jpg").write_bytes(jpeg)
    _run(_log(tmp_path, preview_every=50), 1, 260, level=2.0)
    _run(_log(tmp_path, preview_every=50), 201, 300, level=1.0)

    folder = tmp_path / "board" / "training"
    events = accumulator.EventAccumulator(str(folder)).Reload()

    ours = [(step, value) for tag, step, value in read(folder) if tag == "loss/dst"]
    assert [(event.step, event.value) for event in events.Scalars("loss/dst")] == ours
    assert [event.step for event in events.Images("preview")] == [250]
