"""Debug pictures from face files, and frames whose debug picture was deleted."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.errors import ConfigError, FacesetError, Interrupted
from dflcolab.extraction.config import ExtractConfig
from dflcolab.faceset.config import CleanConfig
from dflcolab.formats.dfl_jpeg import read_face, read_record, replace_record
from dflcolab.pipeline.clean import clean
from dflcolab.pipeline.extract import extract
from dflcolab.workspace.trash import Trash
from dflcolab.workspace.workspace import Side, Workspace
from tests.material import MULTI, WEBCAM_MAN, frame_of
from tests.stopping import StopAfter

DST = Side.DST


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    root = tmp_path / "workspace"
    root.mkdir()
    (root / "workspace.toml").write_text('format_version = 1\nname = "test"\n')
    shutil.copy(WEBCAM_MAN, root / "data_dst.mp4")
    return Workspace.open(root)


def config(**options) -> ExtractConfig:
    return ExtractConfig(**{"side": DST, "size": 128, "fps": 6} | options)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.jpg")}


def without_debug(workspace: Workspace) -> dict[str, bytes]:
    """Extract with debug pictures, then take these away; what they were."""
    extract(workspace, config())
    pictures = contents(workspace.debug_dir(DST))
    shutil.rmtree(workspace.debug_dir(DST))
    return pictures


def test_pictures_drawn_from_face_files_are_those_of_the_extraction(workspace):
    pictures = without_debug(workspace)
    faces = contents(workspace.aligned_dir(DST))

    report = extract(workspace, config(debug=True))

    assert report.new_frames == 0
    assert report.drawn_pictures == len(pictures) > 10
    assert contents(workspace.debug_dir(DST)) == pictures
    assert contents(workspace.aligned_dir(DST)) == faces


def test_debug_pictures_of_heads_show_the_crop_that_was_cut(workspace):
    extract(workspace, config(face_type="head", fps=1))
    pictures = contents(workspace.debug_dir(DST))
    shutil.rmtree(workspace.debug_dir(DST))

    extract(workspace, config(face_type="head", fps=1, debug=True))

    assert contents(workspace.debug_dir(DST)) == pictures


def test_deleted_pictures_stay_away_unless_debug_is_asked_for(workspace):
    extract(workspace, config())
    gone = sorted(workspace.debug_dir(DST).iterdir())[3]
    gone.unlink()

    extract(workspace, config())
    assert not gone.exists()

    assert extract(workspace, config(debug=True)).drawn_pictures == 1
    assert gone.exists()


def test_frames_without_faces_get_a_plain_picture(workspace):
    folder = workspace.frames_dir(DST)
    folder.mkdir()
    for index in range(3):
        cv2.imwrite(str(folder / f"{index + 1:05d}.png"), frame_of(WEBCAM_MAN, index))
    wall = np.full((360, 640, 3), 90, np.uint8)
    cv2.imwrite(str(folder / "00009.png"), wall)
    pictures = without_debug(workspace)
    deleted = workspace.aligned_dir(DST) / "00002_0.jpg"
    deleted.unlink()

    extract(workspace, config(debug=True))

    drawn = contents(workspace.debug_dir(DST))
    assert drawn.keys() == pictures.keys()
    assert drawn["00009.jpg"] == pictures["00009.jpg"]
    plain = cv2.imread(str(workspace.debug_dir(DST) / "00009.jpg"))
    assert np.abs(plain.astype(int) - wall).max() <= 2  # JPEG of one grey level
    bare = cv2.imread(str(workspace.debug_dir(DST) / "00002.jpg"))
    # Nothing drawn: JPEG at quality 50 is all that differs from the frame.
    assert np.abs(bare.astype(int) - frame_of(WEBCAM_MAN, 1)).mean() < 4


def dfl_folder(workspace: Workspace) -> None:
    """What DeepFaceLab leaves: numbered frames, faces without our key, no journal."""
    folder = workspace.frames_dir(DST)
    folder.mkdir()
    for index in range(6):
        cv2.imwrite(str(folder / f"{index + 1:05d}.png"), frame_of(WEBCAM_MAN, index))
    cv2.imwrite(str(folder / "00007.png"), np.full((360, 640, 3), 90, np.uint8))
    extract(workspace, config())
    for path in workspace.aligned_dir(DST).iterdir():
        record = read_record(path)
        assert record is not None
        replace_record(path, record.replace(extra={}))
    (folder / "extract.jsonl").unlink()


def test_facesets_of_deepfacelab_are_drawn_and_lost_frames_are_named(workspace):
    dfl_folder(workspace)
    pictures = contents(workspace.debug_dir(DST))
    shutil.rmtree(workspace.debug_dir(DST))
    (workspace.root / "data_dst.mp4").unlink()
    (workspace.frames_dir(DST) / "00003.png").unlink()

    report = extract(workspace, config(debug=True))

    del pictures["00003.jpg"]
    assert contents(workspace.debug_dir(DST)) == pictures
    assert len(report.problems) == 1
    assert "1 face has no debug picture" in report.problems[0]
    assert "00003_0.jpg from 00003.png" in report.problems[0]


def test_a_frame_that_is_no_picture_any_more_is_taken_from_the_video(workspace):
    dfl_folder(workspace)
    shutil.rmtree(workspace.debug_dir(DST))
    (workspace.frames_dir(DST) / "00003.png").unlink()

    report = extract(workspace, config(debug=True))

    assert report.problems == []
    assert (workspace.debug_dir(DST) / "00003.jpg").exists()


def test_drawing_can_be_stopped_and_goes_on(workspace):
    pictures = without_debug(workspace)

    with pytest.raises(Interrupted):
        extract(workspace, config(debug=True), progress=StopAfter(4))
    few = contents(workspace.debug_dir(DST))
    extract(workspace, config(debug=True))

    assert 4 <= len(few) < len(pictures)
    assert contents(workspace.debug_dir(DST)) == pictures


def spoil(workspace: Workspace, numbers: list[int]) -> dict[str, bytes]:
    """Extract, then delete the debug pictures of some frames; all face files before."""
    extract(workspace, config(fps=None))
    for number in numbers:
        (workspace.debug_dir(DST) / f"{number:05d}.jpg").unlink()
    return contents(workspace.aligned_dir(DST))


def test_frames_of_deleted_pictures_are_looked_at_again_and_nothing_else(workspace):
    before = spoil(workspace, [5, 30, 31])

    report = extract(workspace, config(redo_deleted=True))

    assert (report.new_frames, report.new_faces) == (3, 3)
    assert report.frames == 72
    after = contents(workspace.aligned_dir(DST))
    redone = {"00005_0.jpg", "00030_0.jpg", "00031_0.jpg"}
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} <= redone
    trash = Trash.of(workspace, DST)
    for entry in trash.entries():
        assert entry.reason == "extract --redo-deleted"
        assert (trash.folder / entry.trash_name).read_bytes() == before[entry.name]
    assert report.trashed == len(trash.entries())
    command = re.search(r"`dflcolab clean --side dst --undo --only '(.+?)'`", report.summary())
    assert command is not None
    kept = clean(workspace, CleanConfig(side=DST, undo=True))
    assert kept.restored == ()
    assert f"--only '{command[1]}'" in kept.summary()
    back = clean(workspace, CleanConfig(side=DST, undo=True, only=(command[1],)))
    assert len(back.restored) == report.trashed
    assert len(contents(workspace.debug_dir(DST))) == 72
    for name in redone:
        face = read_face(workspace.aligned_dir(DST) / name)
        old = cv2.imdecode(np.frombuffer(before[name], np.uint8), 1)
        # Two looks at one face: the crops agree to within a few pixels.
        assert np.abs(face.decode().astype(int) - old).mean() < 12


def test_a_second_run_has_nothing_to_do(workspace):
    spoil(workspace, [5])
    extract(workspace, config(redo_deleted=True))
    after = contents(workspace.aligned_dir(DST))

    report = extract(workspace, config(redo_deleted=True))
    plain = extract(workspace, config(fps=None))

    assert report.new_frames == report.trashed == 0
    assert "nothing was looked at again" in report.problems[0]
    assert plain.new_frames == 0
    assert contents(workspace.aligned_dir(DST)) == after


def test_what_is_found_again_is_the_same_in_every_run(workspace, tmp_path):
    spoil(workspace, [7, 40])
    twin = Workspace(tmp_path / "twin")
    shutil.copytree(workspace.root, twin.root)

    extract(workspace, config(redo_deleted=True))
    extract(twin, config(redo_deleted=True))

    assert contents(workspace.aligned_dir(DST)) == contents(twin.aligned_dir(DST))


def test_where_still_nothing_is_found_the_frames_are_named(workspace):
    folder = workspace.frames_dir(DST)
    folder.mkdir()
    cv2.imwrite(str(folder / "00001.png"), frame_of(WEBCAM_MAN, 0))
    cv2.imwrite(str(folder / "00002.png"), frame_of(WEBCAM_MAN, 1))
    extract(workspace, config())
    cv2.imwrite(str(folder / "00002.png"), np.full((360, 640, 3), 90, np.uint8))
    (workspace.debug_dir(DST) / "00002.jpg").unlink()

    report = extract(workspace, config(redo_deleted=True))

    assert report.without_face == ("00002",)
    assert report.trashed == 1
    assert any("frame 00002" in problem and "by hand" in problem for problem in report.problems)
    assert sorted(contents(workspace.aligned_dir(DST))) == ["00001_0.jpg"]
    assert (workspace.debug_dir(DST) / "00002.jpg").exists()
    assert extract(workspace, config(redo_deleted=True)).new_frames == 0


def test_a_faint_face_is_found_by_the_harder_look(workspace):
    """A face blurred so much that the usual look gives it up."""
    folder = workspace.frames_dir(DST)
    folder.mkdir()
    blurred = cv2.GaussianBlur(frame_of(WEBCAM_MAN, 20), (0, 0), 15)
    cv2.imwrite(str(folder / "faint.png"), blurred)
    cv2.imwrite(str(folder / "clear.png"), frame_of(WEBCAM_MAN, 0))
    assert extract(workspace, config()).faces == 1
    (workspace.debug_dir(DST) / "faint.jpg").unlink()

    report = extract(workspace, config(redo_deleted=True))

    assert (report.new_faces, report.faces) == (1, 2)
    assert (workspace.aligned_dir(DST) / "faint_0.jpg").exists()


def test_a_sorted_faceset_gets_the_new_face_in_place_of_the_old(workspace):
    before = spoil(workspace, [5])
    aligned = workspace.aligned_dir(DST)
    for number, name in enumerate(sorted(before, reverse=True)):
        (aligned / name).rename(aligned / f"{number:05d}.jpg")

    extract(workspace, config(redo_deleted=True))

    sources = [read_face(path).record.source_filename for path in aligned.glob("*.jpg")]
    assert sorted(map(str, sources)) == [f"{number:05d}.png" for number in range(1, 73)]


def test_dfl_folders_are_redone_without_a_journal(workspace):
    dfl_folder(workspace)
    for name in ("00002.jpg", "00007.jpg"):
        (workspace.debug_dir(DST) / name).unlink()

    report = extract(workspace, config(redo_deleted=True))

    assert (report.new_frames, report.new_faces) == (2, 1)
    assert report.without_face == ("00007",)
    assert len(contents(workspace.debug_dir(DST))) == 7
    assert extract(workspace, config()).new_frames == 0


@pytest.mark.parametrize("there", [True, False])
def test_without_debug_pictures_nothing_is_redone(workspace, there: bool):
    extract(workspace, config(debug=False))
    if there:
        workspace.debug_dir(DST).mkdir()
    before = contents(workspace.aligned_dir(DST))

    with pytest.raises(FacesetError, match="--debug"):
        extract(workspace, config(redo_deleted=True))

    assert contents(workspace.aligned_dir(DST)) == before
    assert not workspace.trash_dir(DST).exists()


def test_a_video_extracted_without_debug_pictures_is_left_alone(workspace):
    extract(workspace, config())
    shutil.copy(WEBCAM_MAN, workspace.root / "data_dst_2.mp4")
    extract(workspace, config(debug=False))
    min(workspace.debug_dir(DST).iterdir()).unlink()

    report = extract(workspace, config(redo_deleted=True))

    assert report.new_frames == 1
    assert any("data_dst_2.mp4 never had debug pictures" in problem for problem in report.problems)


def test_the_only_picture_of_a_set_can_be_redone(workspace):
    folder = workspace.photos_dir(DST) / "party"
    folder.mkdir(parents=True)
    shutil.copy(MULTI, folder / "IMG_1.jpg")
    extract(workspace, config())
    shutil.copy(WEBCAM_MAN, workspace.root / "data_dst_2.mp4")
    extract(workspace, config(debug=False))
    (workspace.debug_dir(DST) / "party-IMG_1.jpg").unlink()
    assert extract(workspace, config(redo_deleted=True)).new_faces == 5

    extract(workspace, config(debug=True))
    (workspace.debug_dir(DST) / "2-00001.jpg").unlink()

    assert extract(workspace, config(redo_deleted=True)).new_frames == 1


def test_several_people_of_a_frame_are_redone_together(workspace):
    folder = workspace.frames_dir(DST)
    folder.mkdir()
    shutil.copy(MULTI, folder / "party.jpg")
    cv2.imwrite(str(folder / "man.png"), frame_of(WEBCAM_MAN, 0))
    extract(workspace, config())
    (workspace.aligned_dir(DST) / "party_1.jpg").unlink()
    (workspace.debug_dir(DST) / "party.jpg").unlink()

    report = extract(workspace, config(redo_deleted=True))

    assert report.new_faces == 5
    names = sorted(path.name for path in workspace.aligned_dir(DST).iterdir())
    assert len(names) == 6


def test_redoing_and_refusing_debug_pictures_exclude_each_other():
    with pytest.raises(ConfigError, match="redo_deleted"):
        config(redo_deleted=True, debug=False)


def test_killed_while_looking_again_it_goes_on_and_doubles_nothing(workspace):
    numbers = list(range(3, 23))
    before = spoil(workspace, numbers)
    command = [sys.executable, "-m", "dflcolab", "extract", "-w", str(workspace.root),
               "--side", "dst", "--redo-deleted", "--quiet"]  # fmt: skip
    for n_done in (2, 8):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            done = [n for n in numbers if (workspace.debug_dir(DST) / f"{n:05d}.jpg").exists()]
            if len(done) >= n_done:
                break
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert len(done) < len(numbers)

    report = extract(workspace, config(redo_deleted=True))

    assert report.new_frames < len(numbers)
    faces = sorted(contents(workspace.aligned_dir(DST)))
    assert faces == sorted(before)
    kept = {n: f"{n:05d}_0.jpg" for n in range(1, 73) if n not in numbers}
    after = contents(workspace.aligned_dir(DST))
    assert all(after[name] == before[name] for name in kept.values())
    trash = Trash.of(workspace, DST)
    trashed = [(trash.folder / entry.trash_name).read_bytes() for entry in trash.entries()]
    # Whatever left the faceset lies in the trash, once.
    assert sorted(trashed) == sorted(before[name] for name in before if after[name] != before[name])
