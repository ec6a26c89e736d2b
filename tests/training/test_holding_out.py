"""No held-out face is ever trained on, whatever comes and goes between two runs."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dflcolab.config import from_mapping
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.faceset import Faceset, load_faceset, load_many
from dflcolab.faceset.held_out import HeldOutChoice, choose_held_out, poses_of
from dflcolab.faceset.stretches import Stretch, frame_of, split_faces
from dflcolab.formats.dfl_jpeg import read_face
from dflcolab.models.kinds import swap_options_of
from dflcolab.pipeline.train import train
from dflcolab.progress import Progress
from dflcolab.training.config import TrainConfig
from dflcolab.training.dataset import prepare_faces
from dflcolab.training.holding_out import choice_of, hold_out, saved_choices
from dflcolab.training.run import Places, _side_faces
from dflcolab.training.step import TrainingStep
from dflcolab.workspace.workspace import Side, Workspace
from tests.formats.face_files import face_file
from tests.troubleshooting.said import said

RESOLUTION = 64  # of the preset tiny
SIDES = ("src", "dst")


@pytest.fixture
def workspace(face_workspace: Path) -> Workspace:
    return Workspace.open(face_workspace)


def faceset_of(workspace: Workspace, side: str = "src") -> Faceset:
    return load_faceset(workspace.aligned_dir(Side(side)))


def state_with(choices: Mapping[str, HeldOutChoice]) -> dict[str, Any]:
    """A checkpoint's state as it is read again."""
    return json.loads(json.dumps({name: ask() for name, ask in saved_choices(choices).items()}))


def fingerprint(face: np.ndarray) -> bytes:
    return hashlib.sha256(face.tobytes()).digest()


def fingerprints(faceset: Faceset, cache_dir: Path) -> dict[str, bytes]:
    """What each face looks like to the step."""
    faces = prepare_faces(
        faceset, range(len(faceset)), face_type=FaceType.WHOLE, resolution=RESOLUTION,
        title="Faces", progress=Progress(), cache_dir=cache_dir, problems=[],
    )  # fmt: skip
    return {name: fingerprint(faces.faces[i]) for i, name in enumerate(faces.names)}


class Watched:
    """Remembers all faces that reach the training step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: dict[str, set[bytes]] = {side: set() for side in SIDES}
        make = TrainingStep.__init__

        def made(this: TrainingStep, *arguments: Any, **options: Any) -> None:
            make(this, *arguments, **options)
            step = this.step

            def watched(src: Any, dst: Any, *others: Any) -> Any:
                for side, batch in zip(SIDES, (src, dst), strict=True):
                    self.seen[side].update(map(fingerprint, np.asarray(batch)))
                return step(src, dst, *others)

            this.step = watched

        monkeypatch.setattr(TrainingStep, "__init__", made)


def test_no_held_out_face_reaches_the_step_over_a_resume_with_other_faces(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    aligned, aside = workspace.aligned_dir(Side.SRC), tmp_path / "aside"
    aside.mkdir()
    for path in sorted(aligned.glob("*.jpg"))[2::9]:
        shutil.move(path, aside / path.name)
    watched = Watched(monkeypatch)

    def run(target: int) -> dict[str, Any]:
        config = from_mapping(
            TrainConfig,
            {"model": "m", "preset": "tiny", "batch": 8, "target_iter": target, "xla": "off"},
        )
        report = train(workspace, config)
        assert report.checkpoint is not None
        return json.loads((report.checkpoint / "state.json").read_text())

    def uses(state: dict[str, Any], side: str) -> tuple[set[bytes], set[bytes], set[bytes]]:
        faceset = faceset_of(workspace, side)
        looks = fingerprints(faceset, tmp_path)
        stretches = [Stretch.from_plain(plain) for plain in state["held_out_stretches"][side]]
        split = split_faces(faceset.frame_keys, stretches)
        by_use = (split.training, split.held_out, split.beside)
        training, held_out, beside = ({looks[faceset.names[i]] for i in use} for use in by_use)
        return training, held_out, beside

    state = run(8)
    for side in SIDES:
        training, held_out, beside = uses(state, side)
        # Eight batches of eight are more than all faces: each was seen, so the spy sees.
        assert watched.seen[side] == training
        assert len(held_out) >= 8
        assert beside
        assert state["faces"][side] == {"training": len(training), "held_out": len(held_out)}

    # What was away comes back under other names, some of it in and beside held-out stretches; and
    # there is a second video.
    known = [Stretch.from_plain(plain) for plain in state["held_out_stretches"]["src"]]
    back = [frame_of(f"/{read_face(path).record.source_filename}") for path in aside.iterdir()]
    assert any(stretch.clears(frame) for stretch in known for frame in back)
    for path in aside.iterdir():
        shutil.move(path, aligned / f"back_{path.name}")
    for number in range(60):
        name = f"2-{number + 1:05d}"
        face_file(aligned, f"{name}_0.jpg", seed=number, size=256, source_filename=f"{name}.png")

    before = {side: set(seen) for side, seen in watched.seen.items()}
    later = run(24)

    for side in SIDES:
        training, held_out, beside = uses(later, side)
        assert not watched.seen[side] & (held_out | beside)
        assert watched.seen[side] <= training
    stretches = later["held_out_stretches"]
    assert stretches["dst"] == state["held_out_stretches"]["dst"]
    n_known = len(known)
    assert stretches["src"][:n_known] == state["held_out_stretches"]["src"]
    assert {plain["video"] for plain in stretches["src"][n_known:]} == {"/2-"}
    assert len(watched.seen["src"] - before["src"]) > 40  # of the new ones, most were trained on


def test_what_pretraining_held_out_of_a_sides_own_faces_stays_held_out(workspace: Workspace):
    both = load_many([workspace.aligned_dir(side) for side in Side])
    choice = choose_held_out(both.frame_keys, lambda: poses_of(both), 0.1)
    split = split_faces(both.frame_keys, choice.stretches)
    held_out = {both.names[index] for index in split.held_out}
    state = state_with({"src": choice, "dst": choice})

    for side in SIDES:
        known = choice_of(state, side, leaves_pretraining=True)
        assert known is not None
        faceset = faceset_of(workspace, side)
        now = split_faces(faceset.frame_keys, known.stretches)
        label = f"data_{side}-aligned/"
        assert {label + faceset.names[i] for i in now.held_out} == {
            name for name in held_out if name.startswith(label)
        }
        assert now.held_out


def test_pretraining_on_other_faces_says_nothing_of_the_sides():
    elsewhere = HeldOutChoice(0.05, (Stretch("people/", 1, 9, 0, 11),), ("people/",))
    state = state_with({"src": elsewhere, "dst": elsewhere})
    assert choice_of(state, "src", leaves_pretraining=True) is None
    assert choice_of(state, "src") == elsewhere
    assert choice_of({}, "src") is None
    assert choice_of(None, "src") is None


def test_every_face_keeps_its_stretch_where_others_cannot_be_read(
    workspace: Workspace, tmp_path: Path
):
    faceset = faceset_of(workspace, "dst")
    _, split = hold_out(faceset, "dst", 0.1, None, trained=False, note=said)
    broken = {faceset.names[split.training[3]], faceset.names[split.held_out[2]]}
    for name in broken:
        (workspace.aligned_dir(Side.DST) / name).unlink()
    problems: list[str] = []

    options = swap_options_of("saehd", {"resolution": RESOLUTION, "face_type": FaceType.WHOLE})
    places = Places(tmp_path, tmp_path, tmp_path / "STOP", tmp_path)
    side = _side_faces(faceset, options, split, "dst", places, Progress(), problems)

    assert len(problems) == 2
    assert side.held_out is not None
    parts = ((side.training, side.training_stretches), (side.held_out, side.held_out_stretches))
    for faces, stretches in parts:
        assert not broken & set(faces.names)
        indices = [faceset.names.index(name) for name in faces.names]
        assert stretches.tolist() == [split.stretch[index] for index in indices]
    assert len(side.training) + len(side.held_out) + len(split.beside) == len(faceset) - 2


def some_faces(folder: Path, n: int) -> Faceset:
    folder.mkdir()
    for number in range(n):
        face_file(folder, f"{number:05d}.jpg", source_filename=f"{number:05d}.png")
    return load_faceset(folder)


@pytest.mark.bad_day("held-out-none")
@pytest.mark.parametrize("n", [30, 60])
def test_too_few_faces_are_told(tmp_path: Path, n: int):
    faceset = some_faces(tmp_path / "aligned", n)
    if n == 60:  # of one moment
        faceset.__dict__["frame_keys"] = ["/00001.png"] * n
    choice, split = hold_out(faceset, "src", 0.05, None, trained=False, note=said)
    assert choice.stretches == ()
    assert len(split.training) == n


@pytest.mark.bad_day("held-out-kept", "held-out-late")
def test_another_share_and_a_late_choice_are_told(tmp_path: Path):
    faceset = some_faces(tmp_path / "aligned", 60)
    none, _ = hold_out(faceset, "src", 0.0, None, trained=False, note=said)
    late, _ = hold_out(faceset, "src", 0.05, none, trained=True, note=said)
    assert late.stretches
    again, _ = hold_out(faceset, "src", 0.2, late, trained=True, note=said)
    assert again == late


def test_nothing_is_told_where_all_is_as_before(tmp_path: Path):
    faceset = some_faces(tmp_path / "aligned", 60)
    notes: list[str] = []
    choice, split = hold_out(faceset, "src", 0.05, None, trained=False, note=notes.append)
    known = choice_of(state_with({"src": choice}), "src")
    assert hold_out(faceset, "src", 0.05, known, trained=True, note=notes.append) == (choice, split)
    hold_out(faceset, "src", 0.0, None, trained=False, note=notes.append)
    assert notes == []
