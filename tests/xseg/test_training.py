"""`mask train`: labels in, a network out; resumed, interrupted and refused as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dflcolab.engine.checkpoint import latest_checkpoint, list_checkpoints
from dflcolab.engine.loss_history import read_losses
from dflcolab.errors import FacesetError, Interrupted, ModelError
from dflcolab.formats.dfl_jpeg import read_record, replace_record
from dflcolab.pipeline.mask import mask
from dflcolab.pipeline.mask_train import train_masks
from dflcolab.progress import Progress, Task
from dflcolab.watch.verdicts import Call, Verdict
from dflcolab.workspace.workspace import Side, Workspace
from dflcolab.xseg import session, watching
from dflcolab.xseg.config import MaskConfig
from dflcolab.xseg.run import MaskTrainReport
from dflcolab.xseg.session import MaskSession
from tests.xseg.label_files import face_paths, label, sample_workspace

SMALL = ("base=1", "face_type=whole_face")


@pytest.fixture(autouse=True)
def _looks_at_few(monkeypatch: pytest.MonkeyPatch):
    """A look is at four of the training faces."""
    monkeypatch.setattr(session, "_MOST_LOOKED_AT", 4)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Twenty faces, all labelled, from frames half a second apart to far away from one another."""
    made = sample_workspace(tmp_path / "workspace")
    for number, path in enumerate(face_paths(made)):
        label(path)
        own = read_record(path)
        assert own is not None
        replace_record(path, own.replace(source_filename=f"{25 * number:05d}.png"))
    return made


def config(target: int, **changes) -> MaskConfig:
    values = {"set": SMALL, "batch": 1, "preview_every": 0, **changes}
    return MaskConfig(action="train", target_iter=target, **values)


class Facts(Progress):
    """Keeps what it is told in numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.told: dict[str, dict[str, Any]] = {}

    def fact(self, kind: str, **values: object) -> None:
        self.told[kind] = values


def train(
    workspace: Workspace, target: int, *, progress: Progress | None = None, **changes
) -> MaskTrainReport:
    report = mask(workspace, config(target, **changes), progress=progress)
    assert isinstance(report, MaskTrainReport)
    return report


def state_of(workspace: Workspace, model: str):
    checkpoint = latest_checkpoint(workspace.model_dir(model))
    assert checkpoint is not None
    return checkpoint.weights(), checkpoint.optimizer(), checkpoint.state()


def test_a_resumed_run_ends_in_the_same_numbers_and_tells_who_watches(workspace: Workspace, eager):
    told = Facts()
    once = train(workspace, 2, model="once", preview_every=2, deadline="1h", progress=told)
    train(workspace, 1, model="twice")
    twice = train(workspace, 2, model="twice")

    assert (once.iteration, twice.iteration, twice.resumed_from) == (2, 2, 1)
    assert (once.faces, once.held_out_faces) == (18, 2)
    assert once.held_out is not None
    assert set(once.held_out) == {"loss", "iou", "boundary_f"}
    assert twice.held_out == once.held_out
    assert twice.loss == once.loss
    (weights, slots, state), (again, slots_again, state_again) = (
        state_of(workspace, name) for name in ("once", "twice")
    )
    assert all(np.array_equal(again[name], value) for name, value in weights.items())
    assert all(np.array_equal(slots_again[name], value) for name, value in slots.items())
    assert state_again["sampler"] == state["sampler"] == {"masks": {"position": 2}}
    histories = [read_losses(workspace.model_dir(n) / "losses.bin") for n in ("once", "twice")]
    np.testing.assert_array_equal(histories[0], histories[1])
    assert np.isfinite(histories[0][:, 0]).all()

    assert not set(state["held_out_cells"]) & set(state["learned_cells"])
    assert len(state["held_out_cells"]) + len(state["learned_cells"]) == 10
    assert state_again["held_out_cells"] == state["held_out_cells"]

    folder = workspace.history_dir / "once"
    picture = cv2.imread(str(folder / "preview-000000002.jpg"))
    assert picture is not None
    assert picture.shape == (4 * 256, 3 * 256, 3)  # two training faces, two held-out ones
    (line,) = (folder / "held_out.jsonl").read_text().splitlines()
    assert json.loads(line)["held_out"].keys() == {"loss", "iou", "boundary_f"}
    (look,) = (workspace.model_dir("once") / "looks.jsonl").read_text().splitlines()
    measures = json.loads(look)["measures"]
    assert set(measures) == {
        f"masks/{group}/{measure}"
        for group in ("held_out", "training")
        for measure in ("loss", "iou", "boundary_f")
    }
    assert measures["masks/held_out/loss"][1] == [2]  # both in one stretch
    assert state["watch"]["looks"] == 1
    assert once.verdict.startswith("too little data")

    assert told.told["losses"]["iteration"] == 2
    assert told.told["losses"]["loss"] in histories[0][:, 0].astype(float)
    (verdict,) = told.told["verdict"]["verdicts"]
    assert verdict["call"].startswith("too little data")
    assert 3500 < told.told["deadline"]["seconds"] <= 3600


def test_pretraining_needs_no_labels_and_is_left_for_good(tmp_path: Path, eager):
    workspace = sample_workspace(tmp_path / "workspace")
    before = train(workspace, 1, pretrain=True, holdout_share=0.0)
    assert before.pretraining
    assert before.faces == 20
    with pytest.raises(FacesetError, match="labelled"):
        train(workspace, 1)
    label(face_paths(workspace)[0])
    pretrained, _, _ = state_of(workspace, "xseg")

    after = train(workspace, 1)

    assert (after.iteration, after.resumed_from, after.pretraining) == (1, None, False)
    assert after.faces == 1
    assert after.held_out is None
    assert "eyes" in after.summary()
    trained, _, _ = state_of(workspace, "xseg")
    # One step of at most 1e-4 / sqrt(0.1) away from where pretraining ended.
    assert max(np.abs(trained[n] - v).max() for n, v in pretrained.items()) < 4e-4
    with pytest.raises(ModelError, match="already trained"):
        train(workspace, 2, pretrain=True)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def more_labels(workspace: Workspace, count: int) -> None:
    """Copies of labelled faces, as if from far later frames."""
    for number, path in enumerate(face_paths(workspace)[:count]):
        copy = path.with_name(f"more_{path.name}")
        copy.write_bytes(path.read_bytes())
        own = read_record(path)
        assert own is not None
        replace_record(copy, own.replace(source_filename=f"{9000 + 60 * number:05d}.png"))


def test_going_on_with_more_labels_holds_out_more_and_cuts_what_a_killed_run_wrote(
    workspace: Workspace, eager
):
    first = train(workspace, 1, preview_every=1)
    folder, history = workspace.model_dir("xseg"), workspace.history_dir / "xseg"
    before = latest_checkpoint(folder)
    assert before is not None
    for path in (folder / "events.jsonl", folder / "looks.jsonl", history / "held_out.jsonl"):
        path.write_text(path.read_text() + '{"iteration": 7, "kind": "lost"}\n')
    more_labels(workspace, 10)

    second = train(workspace, 2, preview_every=1)

    assert (first.held_out_faces, second.held_out_faces) == (2, 3)
    _, _, state = state_of(workspace, "xseg")
    earlier = before.state()
    assert set(earlier["held_out_cells"]) < set(state["held_out_cells"])
    assert not set(earlier["learned_cells"]) & set(state["held_out_cells"])
    assert earlier["scored_by"] != state["scored_by"]
    events = lines_of(folder / "events.jsonl")
    assert [event["kind"] for event in events] == ["start", "verdict", "resume"]
    assert events[2]["resumed_from"] == 1
    assert events[2]["faces"] == {"masks": {"training": 27, "held_out": 3}}
    for path in (folder / "looks.jsonl", history / "held_out.jsonl"):
        assert [line["iteration"] for line in lines_of(path)] == [1, 2]


def test_a_loss_that_is_no_number_brings_training_back(
    workspace: Workspace, eager, monkeypatch: pytest.MonkeyPatch
):
    step = MaskSession.train_one

    def poisoned(trained: MaskSession) -> Any:
        losses = step(trained)
        return losses * np.nan if (trained.iteration, trained.seed_stream) == (2, 0) else losses

    monkeypatch.setattr(MaskSession, "train_one", poisoned)

    report = train(workspace, 3, preview_every=1, save_minutes=0)

    folder = workspace.model_dir("xseg")
    assert report.iteration == 3
    assert report.options["learning_rate"] == 5e-5
    assert report.held_out is not None
    losses = read_losses(folder / "losses.bin")[:, 0]
    assert len(losses) == 3
    assert np.isfinite(losses).all()
    (event,) = [line for line in lines_of(folder / "events.jsonl") if line["kind"] == "rollback"]
    assert event["fault"] == "not a number"
    assert event["back_to"] in (0, 1)  # 1 where the state of the first look is on the disk by then
    assert "the loss of masks is no number" in event["text"]
    for path in (folder / "looks.jsonl", workspace.history_dir / "xseg" / "held_out.jsonl"):
        assert [line["iteration"] for line in lines_of(path)] == [1, 2, 3]
    # What it went back to is saved, and the first look's state, the best so far.
    assert {c.iteration for c in list_checkpoints(folder)} == {event["back_to"], 1, 3}
    # The same command again does not bring back the rate that led there; another one counts.
    again = train(workspace, 4, set=(*SMALL, "learning_rate=1e-4"))
    assert again.options["learning_rate"] == 5e-5
    assert "a roll-back put it" in again.summary()
    _, _, state = state_of(workspace, "xseg")
    assert state["seed_stream"] == 1


def test_what_the_looks_say_ends_the_same_command_again_but_not_with_new_labels(
    workspace: Workspace, eager, monkeypatch: pytest.MonkeyPatch
):
    bad = Verdict(Call.OVERFIT_MASKS, "The labels are known by heart.", "Label more.")
    monkeypatch.setattr(watching, "judge", lambda _looks, **_sides: (bad,))
    wishes = {"preview_every": 1, "stop_on": "overfit"}

    runs = [train(workspace, 9, **wishes) for _ in range(2)]

    assert [(run.iteration, run.iterations_done) for run in runs] == [(1, 1), (1, 0)]
    assert {run.stopped_because for run in runs} == {"overfit"}
    kinds = [line["kind"] for line in lines_of(workspace.model_dir("xseg") / "events.jsonl")]
    assert kinds == ["start", "verdict", "stop", "resume", "stop"]
    more_labels(workspace, 1)
    assert train(workspace, 9, **wishes).iteration == 2


class StopAfter(Progress):
    """Asks to stop after a number of iterations."""

    def __init__(self, iterations: int) -> None:
        super().__init__()
        self.left = iterations

    def task(self, title: str, *, total: int | None, unit: str, done: int = 0) -> Task:
        task = super().task(title, total=total, unit=unit, done=done)
        if unit != "iterations":
            return task
        advance = task.advance

        def counting(n: int = 1, *, note: str = "") -> None:
            advance(n, note=note)
            self.left -= n
            if self.left <= 0:
                self.request_stop()

        task.advance = counting  # type: ignore[method-assign]
        return task


def test_an_interrupted_run_has_saved(workspace: Workspace, eager):
    with pytest.raises(Interrupted, match="iteration 1"):
        train_masks(workspace, config(9), progress=StopAfter(1))
    assert [c.iteration for c in list_checkpoints(workspace.model_dir("xseg"))] == [1]
    (workspace.root / "STOP").touch()


def test_what_does_not_fit_is_refused(workspace: Workspace, eager):
    train(workspace, 1, side=Side.SRC)
    done = train(workspace, 1)
    assert (done.iterations_done, done.stopped_because) == (0, "target_iter")
    with pytest.raises(ModelError, match="base = 1"):
        train(workspace, 2, set=("base=2",))
    with pytest.raises(FacesetError, match="whole_face"):
        train(workspace, 1, model="wide", set=("base=1", "face_type=head"))
    with pytest.raises(FacesetError, match="extract"):
        train(workspace, 1, model="other", side=Side.DST)


@pytest.mark.slow
def test_a_network_learns_where_faces_end(workspace: Workspace):
    """Compiled, as users run it; the labels are ovals around the landmarks, so there is a rule."""
    changes = {"batch": 2, "model": "learns", "set": ("base=4", *SMALL[1:], "learning_rate=1e-3")}
    report = train(workspace, 24, **changes)
    assert report.held_out is not None
    # Fresh networks answer one half everywhere, which costs log 2 a pixel.
    assert report.held_out["loss"] < 0.8 * np.log(2)
