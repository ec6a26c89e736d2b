"""The calls behind the cells: rules before work, storage that may fail, a safe Stop button."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from dflcolab.engine.checkpoint import list_checkpoints
from dflcolab.errors import StorageError, SyncError
from dflcolab.faceset.config import CleanConfig, PackConfig
from dflcolab.media.provenance import sign_file
from dflcolab.merging.config import MergeConfig
from dflcolab.pipeline.mask_train import mask_config_of
from dflcolab.pipeline.pack import pack
from dflcolab.runtime import notebook as notebook_module
from dflcolab.runtime import rules, session_state, show, storage
from dflcolab.runtime.drive import FolderDrive
from dflcolab.runtime.faces_done import FacesDone
from dflcolab.runtime.job import JobEnd
from dflcolab.runtime.model_export import place_on_storage
from dflcolab.runtime.notebook import Session
from dflcolab.runtime.show import StoppedCellError
from dflcolab.sync import prune as prune_module
from dflcolab.training.config import TrainConfig
from dflcolab.workspace.settings import ChosenPerson
from dflcolab.workspace.trash import Removal, Trash
from dflcolab.workspace.workspace import Side
from tests.runtime.runtimes import COLAB, JUPYTER, KAGGLE
from tests.runtime.saved_models import save_model
from tests.runtime.test_drive import colab_over
from tests.sync.faults import Fault, Strike
from tests.sync.faulty import FaultyStore

MASKED = Path(__file__).parents[1] / "data" / "masks" / "webcam_man_00001.jpg"
FORM = {
    "workspace_name": "demo",
    "src_video": "",
    "dst_video": "",
    "src_rights": "not said yet",
    "dst_rights": "not said yet",
    "rights_note": "",
}
MODEL = {
    "model_name": "m",
    "preset": "tiny",
    "arch": "saehd",
    "pretrain_minutes": 0,
    "pretrain_iterations": 0,
    "faceset": "",
}
TRAINING = {
    "train_minutes": 0,
    "target_iterations": 1,
    "end_when": "over-training",
    "options": "",
    "copy_every_minutes": 0,
}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Everything that would appear in the page."""
    found: list[str] = []
    monkeypatch.setattr(show, "show", found.append)
    return found


@pytest.fixture
def session(tmp_path: Path, shown: list[str]) -> Session:
    return Session(JUPYTER, values={"local_folder": str(tmp_path / "here")})


def test_plain_jupyter_shows_consent_and_asks_no_choice(session: Session, shown: list[str]):
    session.show_rules(my_choice=rules.NOT_CHOSEN)

    text = "".join(shown)
    assert "people who agreed" in text
    assert "Colab FAQ" not in text


def test_hosted_colab_shows_googles_rule_in_plain_words(shown: list[str]):
    Session(COLAB).show_rules(my_choice=rules.NOT_CHOSEN)

    assert "creating deepfakes" in "".join(shown)


def test_choosing_another_machine_stops_the_run(shown: list[str]):
    with pytest.raises(StoppedCellError, match="as you chose"):
        Session(COLAB).show_rules(my_choice=rules.STOP)


def test_on_hosted_colab_nothing_trains_before_the_choice(tmp_path: Path, shown: list[str]):
    session = Session(
        COLAB,
        drive=FolderDrive(tmp_path / "drive"),
        values={"local_folder": str(tmp_path / "here")},
    )
    session.show_rules(my_choice=rules.NOT_CHOSEN)
    session.connect(storage_folder="")
    session.open(**FORM)
    asyncio.run(session.choose_model(**MODEL))

    with pytest.raises(StoppedCellError, match="have not chosen yet"):
        asyncio.run(session.train(**TRAINING))

    session.show_rules(my_choice=rules.GO_ON)
    with pytest.raises(StoppedCellError, match="data_src"):  # further on: there are no faces yet
        asyncio.run(session.train(**TRAINING))
    choice = session.workspace.settings.platform_choice
    assert choice is not None
    assert (choice.place, choice.decision) == ("hosted Colab", rules.GO_ON)


def test_a_choice_made_for_one_kind_of_machine_does_not_hold_for_another(
    tmp_path: Path, shown: list[str]
):
    values = {"local_folder": str(tmp_path / "here")}
    first = Session(COLAB, drive=FolderDrive(tmp_path / "drive"), values=values)
    first.show_rules(my_choice=rules.GO_ON)
    first.open(**FORM)
    second = Session(KAGGLE, values=values)
    second.open(**FORM)
    asyncio.run(second.choose_model(**MODEL))

    with pytest.raises(StoppedCellError, match="rules of Kaggle"):
        asyncio.run(second.train(**TRAINING))
    with pytest.raises(StoppedCellError, match="rules of Kaggle"):
        asyncio.run(second.choose_model(**{**MODEL, "pretrain_iterations": 1}))


def test_the_demo_workspace_brings_its_clips_and_their_rights(session: Session):
    session.open(**FORM)

    settings = session.workspace.settings
    assert [path.name for path in sorted(session.workspace.root.glob("*.mp4"))] == [
        "data_dst.mp4",
        "data_src.mp4",
    ]
    assert settings.rights_src is not None
    assert settings.rights_src.basis == "licensed"


def test_an_own_workspace_gets_no_rights_that_were_not_given(session: Session, clips):
    session.open(**{**FORM, "workspace_name": "mine", "src_video": str(clips["src"])})

    assert session.workspace.settings.rights == {"src": None, "dst": None}
    assert (session.workspace.root / "data_src.mp4").exists()


def test_an_existing_workspace_is_brought_in_once(session: Session, tmp_path: Path):
    faces = tmp_path / "shelf" / "old" / "data_src" / "aligned"
    faces.mkdir(parents=True)
    (faces / "1.jpg").write_bytes(b"face")
    form = {**FORM, "workspace_name": "mine", "existing_workspace": "old"}
    session.connect(storage_folder=str(tmp_path / "shelf"))

    session.open(**form)
    mine = session.workspace.root / "data_src" / "aligned" / "1.jpg"
    assert mine.read_bytes() == b"face"
    mine.unlink()  # cleaned away
    session.open(**form)

    assert not mine.exists()


def test_a_wrong_workspace_name_is_one_sentence(session: Session):
    with pytest.raises(StoppedCellError, match="cannot be a folder's name"):
        session.open(**{**FORM, "workspace_name": "../up"})


def test_a_cell_before_its_turn_says_which_one_comes_first(session: Session):
    with pytest.raises(StoppedCellError, match="Open a workspace"):
        session.report(about="faces")


def test_a_failure_shows_one_red_sentence_and_folds_the_rest(session: Session, shown: list[str]):
    with pytest.raises(StoppedCellError):
        session.report(about="faces")

    assert "<b>No workspace is open" in shown[-1]
    assert "<details>" in shown[-1]


def test_a_new_machine_goes_on_from_the_storage(tmp_path: Path, shown: list[str]):
    def on_a_machine(name: str) -> Session:
        session = Session(JUPYTER, values={"local_folder": str(tmp_path / name)})
        session.connect(storage_folder=str(tmp_path / "shelf"))
        session.open(**FORM)
        return session

    first = on_a_machine("first")
    (first.workspace.root / "history" / "note.txt").write_text("from the first machine")
    first.finish(disconnect_drive=False)

    second = on_a_machine("second")

    assert (second.workspace.root / "history" / "note.txt").read_text() == "from the first machine"
    assert second.workspace.root != first.workspace.root


def test_a_storage_that_fails_is_told_and_stops_nothing(
    tmp_path: Path, shown: list[str], monkeypatch: pytest.MonkeyPatch
):
    session = Session(JUPYTER, values={"local_folder": str(tmp_path / "here")})
    session.connect(storage_folder=str(tmp_path / "shelf"))

    def offline(*_: object, **__: object) -> None:
        raise SyncError("Drive is offline; nothing here is lost.")

    monkeypatch.setattr(storage, "push_workspace", offline)
    session.open(**FORM)

    assert any("Drive is offline" in text for text in shown)
    with pytest.raises(StoppedCellError, match="Drive is offline"):
        session.finish(disconnect_drive=False)


def test_the_last_cell_looks_at_a_drive_afresh_and_copies_again_what_was_lost(
    tmp_path: Path, shown: list[str], monkeypatch: pytest.MonkeyPatch
):
    for module in (storage, prune_module):
        monkeypatch.setattr(module, "shows_late", lambda _: True)
    store = FaultyStore()
    drive = colab_over(store, tmp_path / "drive")
    store.pipe_file("MyDrive/photo.jpg", b"mine")
    store.flush()
    session = Session(COLAB, drive=drive, values={"local_folder": str(tmp_path / "here")})
    session.connect(storage_folder="")
    session.open(**{**FORM, "workspace_name": "mine"})
    store.follow([Strike(0, Fault.LOST, "packs/")])

    session.finish(disconnect_drive=False)

    text = "".join(shown)
    assert text.index("Damaged on") < text.index("That is confirmed")
    packs = [path for path in store.cloud.files if "packs/" in path]
    assert len(packs) == 1
    (session.workspace.root / "history" / "note.txt").write_text("new")
    session.finish(disconnect_drive=False)
    copies = [path for path in store.cloud.files if "generations/" in path]
    assert len(copies) == 3  # the last ones of the policy


def test_connecting_lists_what_could_be_opened(tmp_path: Path, shown: list[str]):
    first = Session(JUPYTER, values={"local_folder": str(tmp_path / "first")})
    first.connect(storage_folder=str(tmp_path / "shelf"))
    assert "No workspace has a copy there yet" in shown[-1]
    first.open(**{**FORM, "workspace_name": "mine"})

    Session(JUPYTER).connect(storage_folder=str(tmp_path / "shelf"))

    assert "mine: 20" in shown[-1]
    assert "no model yet" in shown[-1]


def test_a_model_of_deepfacelab_is_taken_when_there_is_one(session: Session, shown: list[str]):
    session.open(**{**FORM, "workspace_name": "mine"})
    form = {"model_name": "old", "dfl_model": "", "dfl_folder": ""}

    session.import_model(**form)
    assert "no model of DeepFaceLab" in shown[-1]

    (session.workspace.root / "model").mkdir(exist_ok=True)
    (session.workspace.root / "model" / "new_SAEHD_data.dat").write_bytes(b"no pickle")
    with pytest.raises(StoppedCellError, match="new_SAEHD"):
        session.import_model(**form)


def test_faces_that_were_brought_along_are_not_extracted_again(session: Session, shown: list[str]):
    session.open(**FORM)
    for side in Side:
        folder = session.workspace.aligned_dir(side)
        shutil.copy(MASKED, folder / "00001_0.jpg")

    session.extract(src_frames_per_second=0, dst_debug_pictures=True, max_faces=0)

    assert "used as they are" in "".join(shown)
    assert [path.name for path in session.workspace.aligned_dir(Side.DST).iterdir()] == [
        "00001_0.jpg"
    ]

    pack(session.workspace, PackConfig(side=Side.DST))
    session.extract(src_frames_per_second=0, dst_debug_pictures=True, max_faces=0)
    assert shown[-1].startswith("The faces of dst are here already")


def test_masks_are_left_as_they_are_unless_a_step_is_chosen(session: Session, shown: list[str]):
    form = {"mask_side": "dst", "mask_model": "xseg", "mask_minutes": 1}
    session.open(**FORM)

    asyncio.run(session.masks(mask_step="not now", **form))
    assert "left as they are" in shown[-1]
    with pytest.raises(StoppedCellError, match="data_dst"):  # nobody has extracted faces yet
        asyncio.run(session.masks(mask_step="draw outlines", **form))


def test_masks_are_learned_once_with_copies_meanwhile_and_applied_to_both_sides(
    session: Session, shown: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    learned: list[TrainConfig] = []
    applied: list[tuple[str, Side | None, str, object]] = []

    async def train(workspace, verb, config, *, where):
        assert verb == "train"
        learned.append(config)
        return JobEnd({}, "done")

    async def run(workspace, verb, config, *, where):
        assert verb == "mask"
        applied.append((config.action, config.side, config.model, config.checkpoint))
        return JobEnd({}, "done")

    monkeypatch.setattr(session_state, "run_training_job", train)
    monkeypatch.setattr(session_state, "run_job", run)
    form = {"mask_side": "dst", "mask_model": "hands", "mask_minutes": 1.5}
    session.connect(storage_folder=str(tmp_path / "shelf"))
    session.open(**FORM)
    asyncio.run(session.masks(mask_step="learn the outlines", **form))
    asyncio.run(session.masks(mask_step="apply to all faces", mask_checkpoint="best", **form))

    (config,) = learned
    assert (config.model, config.arch, config.deadline) == ("hands", "xseg", "90s")
    assert config.remote == str(tmp_path / "shelf" / "dflcolab" / "demo")
    assert mask_config_of(config).deadline == "90s"  # all of it means something to such a network
    assert applied == [("apply", side, "hands", "best") for side in Side]


@pytest.mark.parametrize(
    ("merge_into", "video", "encode"),
    [
        ("video", True, ()),
        ("lossless video", True, ("lossless=true",)),
        ("single frames", False, ()),
    ],
)
def test_a_merge_goes_where_the_form_says(
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    merge_into: str,
    video: bool,
    encode: tuple[str, ...],
):
    session.open(**FORM)
    config = merge_of(session, monkeypatch, merge_into)

    assert (config.video, config.encode, config.set) == (video, encode, ("mode=overlay",))


def test_pictures_of_dst_are_merged_into_single_frames_whatever_the_form_says(
    session: Session, shown: list[str], monkeypatch: pytest.MonkeyPatch
):
    session.open(**FORM)
    folder = session.workspace.frames_dir(Side.DST)
    cv2.imwrite(str(folder / "00001.png"), np.zeros((8, 8, 3), np.uint8))

    config = merge_of(session, monkeypatch, "lossless video")

    assert (config.video, config.encode) == (False, ())
    assert "holds 1 pictures of dst" in "".join(shown)


@pytest.mark.parametrize(("text", "state"), [("best", "best"), (" 1500", 1500), (1500, 1500)])
def test_a_merge_takes_the_state_that_the_form_says(
    session: Session, monkeypatch: pytest.MonkeyPatch, text: Any, state: object
):
    session.open(**FORM)
    assert merge_of(session, monkeypatch, "video").checkpoint == "latest"
    assert merge_of(session, monkeypatch, "video", checkpoint=text).checkpoint == state


def merge_of(
    session: Session, monkeypatch: pytest.MonkeyPatch, merge_into: str, checkpoint: str = "latest"
) -> MergeConfig:
    """What the merge cell asks for."""
    asked: list[MergeConfig] = []

    async def run(workspace, verb, config, *, where):
        assert verb == "merge"
        asked.append(config)
        return JobEnd({}, "done")

    monkeypatch.setattr(session_state, "run_job", run)
    merging = session.merge(
        model_name="m",
        merge_options="mode=overlay",
        merge_into=merge_into,
        checkpoint=checkpoint,
    )
    asyncio.run(merging)
    return asked[0]


@pytest.mark.parametrize("lossless", [False, True])
def test_a_video_that_the_merge_made_is_shown_as_it_is(
    session: Session, shown: list[str], lossless: bool
):
    session.open(**FORM)
    workspace = session.workspace
    workspace.merged_parts_dir.mkdir(parents=True)
    (workspace.merged_parts_dir / "merge.json").write_text("{}")
    with pytest.raises(StoppedCellError, match="has not finished; merge again"):
        session.encode(lossless=lossless)
    shutil.copy(workspace.videos(Side.DST)[0], workspace.result_path())
    sign_file(workspace.result_path(), workspace.result_path(), title="result.mp4")
    before = workspace.result_path().stat()

    session.encode(lossless=lossless)

    assert workspace.result_path().stat() == before
    text = "".join(shown)
    assert "a signed note that holds and says that it is synthetic" in text
    assert "<video controls" in text
    assert ("take “lossless video”" in text) == lossless


def test_without_storage_the_last_cell_says_where_the_work_is(session: Session, shown: list[str]):
    session.connect(storage_folder="")
    session.open(**FORM)
    session.finish(disconnect_drive=True)

    assert "saved on this machine" in shown[-1]


def test_values_from_outside_reach_the_form(tmp_path: Path, shown: list[str]):
    session = Session(
        JUPYTER, values={"workspace_name": "other", "local_folder": str(tmp_path), "unknown": 1}
    )
    session.open(**{**FORM, "workspace_name": "demo"})

    assert session.workspace.root.name == "other"


def test_the_stop_button_asks_for_a_safe_stop(session: Session, monkeypatch: pytest.MonkeyPatch):
    session.open(**FORM)
    assert threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)

    def slow(workspace, config, *, progress):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(100):
            progress.raise_if_stopped("Stopped as asked; everything is saved.")
            time.sleep(0.01)
        raise AssertionError("the stop never arrived")

    monkeypatch.setattr("dflcolab.pipeline.report.report", slow)
    with pytest.raises(StoppedCellError, match="everything is saved"):
        session.report(about="faces")

    # The next cell begins without that wish, and Ctrl-C means what it meant before.
    session.show_machine()
    assert not session.progress.stop_requested
    assert signal.getsignal(signal.SIGINT) is before


def test_a_wrong_variable_is_one_sentence(monkeypatch: pytest.MonkeyPatch, shown: list[str]):
    monkeypatch.setenv(notebook_module.VARIABLE, "[1]")

    with pytest.raises(StoppedCellError, match="not a JSON object"):
        notebook_module.start()


def test_starting_again_keeps_the_open_workspace(
    monkeypatch: pytest.MonkeyPatch, shown: list[str], tmp_path: Path
):
    monkeypatch.setattr(notebook_module, "_started", None)
    monkeypatch.setenv(notebook_module.VARIABLE, json.dumps({"local_folder": str(tmp_path)}))
    first = notebook_module.start()
    first.open(**FORM)

    monkeypatch.setenv(notebook_module.VARIABLE, json.dumps({"max_faces": 1}))
    again = notebook_module.start()

    assert again.workspace.root == tmp_path / "demo"
    assert again.values == {"max_faces": 1}


def test_a_replaced_numpy_asks_for_a_restart(monkeypatch: pytest.MonkeyPatch, shown: list[str]):
    monkeypatch.setattr(np, "__version__", "1.0.0")

    with pytest.raises(StoppedCellError, match="Restart"):
        notebook_module.start()


class Jobs:
    """Stands for the processes: what was asked of them, in place of their work."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.asked: list[tuple[str, TrainConfig]] = []
        self.because = "deadline"

    async def run(self, workspace, verb, config, *, where):
        self.asked.append((verb, config))
        folder = workspace.model_dir(config.model)
        iteration = len(list_checkpoints(folder)) + 1
        save_model(folder, iteration, config.preset or "tiny", pretraining=verb == "pretrain")
        return JobEnd({"stopped_because": self.because}, "done")


@pytest.fixture
def jobs(session: Session, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    jobs = Jobs(session)
    monkeypatch.setattr(session_state, "run_training_job", jobs.run)
    session.open(**FORM)
    return jobs


def test_train_takes_the_model_that_was_chosen(session: Session, jobs: Jobs, shown: list[str]):
    with pytest.raises(StoppedCellError, match="run the cell “Choose a model”"):
        asyncio.run(session.train(**TRAINING))

    asyncio.run(session.choose_model(**{**MODEL, "preset": "auto", "arch": "amp"}))
    asyncio.run(session.train(**{**TRAINING, "train_minutes": 5}))
    asyncio.run(session.train(**TRAINING))

    assert "preset demo, which fits this machine" in "".join(shown)
    assert "The 5 minutes of this run are over" in "".join(shown)
    (_, new), (_, old) = jobs.asked
    assert (new.model, new.arch, new.preset) == ("m", "amp", "demo")
    assert (old.model, old.arch, old.preset) == ("m", None, None)  # it keeps what it has


def test_after_a_training_its_report_stands_below(session: Session, jobs: Jobs, shown: list[str]):
    asyncio.run(session.choose_model(**MODEL))
    asyncio.run(session.train(**TRAINING))

    assert "<iframe" in shown[-1]
    assert "training-m.html" in shown[-1]
    session.report(about="training")
    assert "<iframe" in shown[-1]


def test_a_pretraining_that_was_cut_off_goes_on_for_what_is_left(
    session: Session, jobs: Jobs, shown: list[str]
):
    form = {**MODEL, "pretrain_minutes": 10}
    asyncio.run(session.choose_model(**form))  # "cut off" at once
    asyncio.run(session.choose_model(**form))
    asyncio.run(session.choose_model(**{**MODEL, "pretrain_iterations": 3}))
    asyncio.run(session.choose_model(**{**MODEL, "pretrain_iterations": 3}))

    assert [verb for verb, _ in jobs.asked] == ["pretrain"] * 3
    assert [config.preset for _, config in jobs.asked] == ["tiny", None, None]
    assert all(config.deadline in ("599s", "600s", None) for _, config in jobs.asked)
    assert "Its pretraining is done" in shown[-1]

    asyncio.run(session.train(**TRAINING))
    asyncio.run(session.choose_model(**form))
    assert len(jobs.asked) == 4
    assert "nothing is pretrained" in shown[-1]


@pytest.mark.parametrize("verb", ["pretrain", "train"])
def test_after_a_restart_of_the_kernel_a_running_training_is_found(
    session: Session, jobs: Jobs, shown: list[str], monkeypatch: pytest.MonkeyPatch, verb: str
):
    running = SimpleNamespace(name="m", verb=verb, title=lambda: "The training of m")
    monkeypatch.setattr("dflcolab.runtime.model_cells.Job.running_in", lambda root: running)
    asyncio.run(session.choose_model(**{**MODEL, "preset": "high"}))

    assert [asked for asked, _ in jobs.asked] == ["pretrain"] * (verb == "pretrain")
    assert ("the cell “Train” shows it" in shown[-1]) == (verb == "train")
    # Should it die before its first save, Train begins anew with what the form says.
    assert (session.model.name, session.model.preset) == ("m", "high")


def test_packed_faces_are_unpacked_on_request_and_do_not_end_run_all(
    session: Session, shown: list[str]
):
    session.open(**FORM)
    for side in Side:
        shutil.copy(MASKED, session.workspace.aligned_dir(side) / "00001_0.jpg")
        pack(session.workspace, PackConfig(side=side))
    form = {"src_frames_per_second": 0, "dst_debug_pictures": False, "max_faces": 0}

    session.sort(src_by="blur", dst_by="blur")
    session.clean(src_person="", dst_person="", only_show=False, undo=False, undo_only="")
    assert "".join(shown).count("with unpack_faces") == 4
    session.extract(**form, unpack_faces=True)

    assert (session.workspace.aligned_dir(Side.SRC) / "00001_0.jpg").exists()
    session.sort(src_by="blur", dst_by="blur")


def test_the_face_type_of_the_form_is_kept_until_another_is_chosen(session: Session):
    session.open(**FORM, face_type="full_face")
    session.open(**FORM)

    assert session.workspace.settings.face_type.value == "full_face"


def test_a_model_goes_to_another_program_from_the_last_cell(
    session: Session, shown: list[str], trained_workspace: Path, tmp_path: Path
):
    session.values["local_folder"] = str(trained_workspace.parent)
    session.connect(storage_folder=str(tmp_path / "shelf"))
    session.open(**{**FORM, "workspace_name": trained_workspace.name})
    for _ in range(2):
        session.finish(disconnect_drive=False, export_model_as="DeepFaceLab")

    exported = tmp_path / "shelf" / "dflcolab" / "workspace" / "exported"
    names = ["tiny 6 for DeepFaceLab", "tiny 6 for DeepFaceLab (2)"]  # nothing is overwritten
    assert sorted(path.name for path in exported.iterdir()) == names
    assert (exported / names[0] / "tiny_SAEHD_data.dat").exists()
    assert not (session.workspace.root / ".export").exists()


@pytest.mark.bad_day("export-not-read-back")
def test_an_export_that_does_not_arrive_whole_is_refused(tmp_path: Path, monkeypatch):
    (tmp_path / "model.dfm").write_bytes(b"weights")
    monkeypatch.setattr(shutil, "copyfile", lambda _, target: Path(target).write_bytes(b"wei"))

    with pytest.raises(StorageError, match="does not read back"):
        place_on_storage([tmp_path / "model.dfm"], tmp_path / "drive" / "first")


WRONG_VALUES = (
    ("open", {**FORM, "src_rights": "yes"}, "src_rights = 'yes' is not in its list"),
    (
        "open",
        {**FORM, "src_video": "me.mp4"},
        "demo is the workspace of the sample clips; give me.mp4",
    ),
    ("open", {**FORM, "workspace_name": "a", "dst_video": "https://x/y"}, "https://x/y is a link"),
    ("sort", {"src_by": "looks", "dst_by": "blur"}, "by = 'looks' is not known"),
    ("review", {"side": "both"}, "side = 'both' is not in its list"),
    ("report", {"about": "all"}, "about = 'all' is not in its list"),
    ("train", {**TRAINING, "end_when": "late"}, "end_when = 'late' is not in its list"),
    ("train", {**TRAINING, "train_minutes": -5}, "train_minutes = -5 is not a number, 0 or more"),
    ("train", {**TRAINING, "target_iterations": "ten"}, "'ten' is not a whole number"),
    ("train", {**TRAINING, "options": None}, "options = None is not a text"),
)


def test_wrong_values_in_a_form_are_one_sentence_that_names_the_field(
    session: Session, shown: list[str]
):
    session.open(**FORM)
    asyncio.run(session.choose_model(**MODEL))
    for cell, form, sentence in WRONG_VALUES:
        with pytest.raises(StoppedCellError, match=re.escape(sentence)):
            asyncio.run(getattr(session, cell)(**form))


@pytest.mark.bad_day("bug-in-a-cell")
def test_a_mistake_of_this_program_is_one_sentence_with_its_details_below(
    session: Session, shown: list[str], monkeypatch: pytest.MonkeyPatch
):
    session.open(**FORM)
    monkeypatch.setattr("dflcolab.pipeline.report.report", lambda *_, **__: {}["key"])

    with pytest.raises(StoppedCellError, match="an unexpected failure"):
        session.report(about="faces")

    assert "KeyError" in shown[-1].partition("<details>")[2]


def test_what_was_uploaded_to_a_machine_that_is_gone_is_not_asked_for_again(
    tmp_path: Path, shown: list[str], clips: dict[str, Path]
):
    uploaded = tmp_path / "content" / "me.mp4"
    uploaded.parent.mkdir()
    shutil.copy(clips["dst"], uploaded)
    zipped = tmp_path / "shelf" / "old"
    (zipped / "model").mkdir(parents=True)
    (zipped / "model" / "new_SAEHD_data.dat").write_bytes(b"")
    form = {
        **FORM,
        "workspace_name": "mine",
        "src_video": str(uploaded),
        "existing_workspace": "old",
    }

    def on_a_machine(name: str) -> Session:
        session = Session(JUPYTER, values={"local_folder": str(tmp_path / name)})
        session.connect(storage_folder=str(tmp_path / "shelf"))
        return session

    on_a_machine("first").open(**form)
    shutil.rmtree(uploaded.parent)
    shutil.rmtree(zipped)  # the user makes room on the Drive

    second = on_a_machine("second")
    second.open(**form)

    assert second.workspace.videos(Side.SRC)[0].name == "data_src.mp4"
    assert "me.mp4 is not on this machine any more; the workspace has its copy" in "".join(shown)
    with pytest.raises(StoppedCellError, match=r"There is no .*he\.mp4"):
        second.open(**{**form, "src_video": f"{uploaded}; he.mp4"})


def faces_in(session: Session) -> None:
    """Three faces a side in the sample workspace."""
    session.open(**FORM)
    for side in Side:
        for number, path in enumerate(sorted(MASKED.parent.glob("webcam_man_*.jpg"))[:3]):
            shutil.copy(path, session.workspace.aligned_dir(side) / f"0000{number}_0.jpg")


CLEANING = {
    "src_person": "",
    "dst_person": "",
    "only_show": False,
    "undo": False,
    "undo_only": "",
}


def test_run_all_does_not_sort_and_clean_again_what_nothing_has_come_to(
    session: Session, shown: list[str], monkeypatch: pytest.MonkeyPatch
):
    cleaned: list[CleanConfig] = []
    monkeypatch.setattr(
        "dflcolab.pipeline.clean.clean",
        lambda workspace, config, *, progress: cleaned.append(config) or {},
    )
    faces_in(session)
    session.sort(src_by="brightness", dst_by="blur")
    session.clean(**CLEANING)
    trash = Trash.of(session.workspace, Side.SRC)
    trash.move([Removal(trash.home / "00001.jpg", "by hand")])
    before = {path: path.stat().st_mtime_ns for path in trash.home.iterdir()}

    for again in (False, True):
        session.sort(src_by="brightness", dst_by="blur")
        session.clean(**CLEANING, again=again)

    text = "".join(shown)
    assert text.count("are in order by brightness already") == 2
    assert {path: path.stat().st_mtime_ns for path in trash.home.iterdir()} == before
    assert text.count("were cleaned in this way already") == 2
    assert [config.side for config in cleaned] == [*Side, *Side]

    trash.restore()
    shutil.copy(MASKED, trash.home / "new.jpg")
    session.sort(src_by="brightness", dst_by="hue")
    session.clean(**{**CLEANING, "dst_person": "auto"})
    assert [path.name for path in sorted(trash.home.iterdir())][-1] == "00003.jpg"
    assert [config.side for config in cleaned[4:]] == list(Side)


def test_the_report_is_made_anew_when_faces_or_packs_are_others(session: Session):
    faces_in(session)
    done = FacesDone(session.workspace)
    assert not done.is_reported()
    done.note_reported()
    assert done.is_reported()
    pack(session.workspace, PackConfig(side=Side.SRC))
    assert not done.is_reported()
    done.note_reported()
    (session.workspace.aligned_dir(Side.SRC) / "faceset.pak").write_bytes(b"another pack")
    assert not done.is_reported()


def test_a_person_s_number_means_the_same_person_when_the_others_have_gone(
    session: Session, monkeypatch: pytest.MonkeyPatch
):
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(
        "dflcolab.pipeline.clean.clean",
        lambda workspace, config, *, progress: asked.append(config.identity) or {},
    )
    faces_in(session)
    session.workspace.update(person_src=ChosenPerson("number 2", "person_src.npy"))

    session.clean(**{**CLEANING, "src_person": "2", "dst_person": "2"})
    session.clean(**{**CLEANING, "src_person": "1", "dst_person": "2"})

    assert asked == [("chosen",), ("2",), ("1",)]


def test_undo_brings_back_what_it_names_from_whichever_side_it_lies_on(
    session: Session, shown: list[str]
):
    faces_in(session)
    trash = Trash.of(session.workspace, Side.SRC)
    trash.move([Removal(trash.home / "00001_0.jpg", "blur: soft")])

    session.clean(**{**CLEANING, "undo": True, "undo_only": "blur"})

    assert len(list(trash.home.glob("*.jpg"))) == 3
    with pytest.raises(StoppedCellError, match="removed by 'blur'"):
        session.clean(**{**CLEANING, "undo": True, "undo_only": "blur"})


def test_a_faceset_is_looked_up_on_the_storage_like_other_paths(
    session: Session, jobs: Jobs, tmp_path: Path
):
    session.connect(storage_folder=str(tmp_path / "shelf"))
    (tmp_path / "shelf" / "many.pak").write_bytes(b"")

    asyncio.run(session.choose_model(**{**MODEL, "pretrain_iterations": 1, "faceset": "many.pak"}))

    assert jobs.asked[0][1].faceset == (str(tmp_path / "shelf" / "many.pak"),)
