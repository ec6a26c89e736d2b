import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.config import to_plain
from dflcolab.errors import (
    FacesetError,
    FormatError,
    Interrupted,
    MediaError,
    StorageError,
    WorkspaceError,
)
from dflcolab.extraction.config import ExtractConfig
from dflcolab.formats.dfl_jpeg import read_face
from dflcolab.pipeline.extract import extract
from dflcolab.workspace.workspace import Side, Workspace
from tests.faceset.kills import killed_sort
from tests.material import MULTI, STUDIO_WOMAN, WEBCAM_MAN, frame_of, shared_faces
from tests.stopping import StopAfter

SRC = Side.SRC


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    root = tmp_path / "workspace"
    root.mkdir()
    (root / "workspace.toml").write_text('format_version = 1\nname = "test"\n')
    return Workspace.open(root)


def config(**options) -> ExtractConfig:
    return ExtractConfig(**{"side": SRC, "size": 128} | options)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_video_becomes_faces_with_metadata(workspace):
    shutil.copy(WEBCAM_MAN, workspace.root / "data_src.mp4")

    report = extract(workspace, config())

    assert (report.frames, report.frames_with_face, report.faces) == (72, 72, 72)
    assert report.problems == []
    json.dumps(to_plain(report))
    aligned = workspace.aligned_dir(SRC)
    assert names(aligned) == [f"{number:05d}_0.jpg" for number in range(1, 73)]
    face = read_face(aligned / "00011_0.jpg")
    assert face.decode().shape == (128, 128, 3)
    assert face.record.source_filename == "00011.png"
    provenance = dict(face.record.provenance)
    assert provenance.pop("score") > 0.8
    assert provenance.pop("presence") > 0.9
    assert provenance.pop("time_s") == pytest.approx(10 / 30, abs=0.1)
    assert provenance.pop("version")
    assert provenance == {"video": "data_src.mp4", "frame_index": 10}
    assert not workspace.debug_dir(SRC).exists()


def test_dst_gets_debug_pictures_of_the_frames_size(workspace):
    shutil.copy(WEBCAM_MAN, workspace.root / "data_dst.mp4")

    extract(workspace, config(side=Side.DST, fps=3))

    pictures = names(workspace.debug_dir(Side.DST))
    assert [name.replace(".jpg", "_0.jpg") for name in pictures] == names(
        workspace.aligned_dir(Side.DST)
    )
    picture = cv2.imread(str(workspace.debug_dir(Side.DST) / pictures[0]))
    assert picture.shape == (360, 640, 3)


def test_several_videos_share_one_faceset(workspace):
    shutil.copy(WEBCAM_MAN, workspace.root / "data_src.mp4")
    extract(workspace, config(fps=2))
    first = contents(workspace.aligned_dir(SRC))
    shutil.copy(STUDIO_WOMAN, workspace.root / "data_src_2.mp4")

    report = extract(workspace, config(fps=2))

    both = contents(workspace.aligned_dir(SRC))
    assert first.items() <= both.items()
    added = both.keys() - first.keys()
    assert len(added) == report.new_frames > 20
    assert all(name.startswith("2-") for name in added)


def test_a_second_run_changes_nothing_and_deleted_faces_stay_away(workspace):
    shutil.copy(WEBCAM_MAN, workspace.root / "data_src.mp4")
    extract(workspace, config(fps=6))
    aligned = workspace.aligned_dir(SRC)
    gone = names(aligned)[1]
    (aligned / gone).unlink()
    before = contents(aligned)

    report = extract(workspace, config(fps=6))

    assert (report.new_frames, report.new_faces) == (0, 0)
    assert report.frames == len(before) + 1
    assert contents(aligned) == before


def test_faces_of_a_sort_killed_midway_are_not_extracted_again(workspace):
    shutil.copy(WEBCAM_MAN, workspace.root / "data_src.mp4")
    extract(workspace, config(fps=6))
    aligned = workspace.aligned_dir(SRC)
    before = sorted(contents(aligned).values())
    killed_sort(aligned)

    report = extract(workspace, config(fps=6))

    assert report.new_faces == 0
    assert sorted(contents(aligned).values()) == before


def test_more_frames_per_second_add_the_frames_between(workspace):
    shutil.copy(WEBCAM_MAN, workspace.root / "data_src.mp4")
    extract(workspace, config(fps=3))
    few = contents(workspace.aligned_dir(SRC))

    report = extract(workspace, config())

    assert report.frames == 72
    assert report.new_frames == 72 - len(few)
    assert few.items() <= contents(workspace.aligned_dir(SRC)).items()


def test_stopped_and_resumed_equals_never_stopped(workspace, tmp_path):
    shutil.copy(WEBCAM_MAN, workspace.root / "data_src.mp4")
    twin = Workspace(tmp_path / "twin")
    shutil.copytree(workspace.root, twin.root)
    extract(twin, config(size=64))

    for n_frames in (11, 30, 52):
        with pytest.raises(Interrupted, match="run the same command again"):
            extract(workspace, config(size=64), progress=StopAfter(n_frames))
    report = extract(workspace, config(size=64))

    assert report.frames == 72
    assert 0 < report.new_frames < 72 - 52
    assert contents(workspace.aligned_dir(SRC)) == contents(twin.aligned_dir(SRC))


def test_killed_at_any_moment_it_goes_on_and_leaves_no_half_files(workspace):
    shutil.copy(STUDIO_WOMAN, workspace.root / "data_src.mp4")
    command = [sys.executable, "-m", "dflcolab", "extract", "-w", str(workspace.root),
               "--side", "src", "--size", "64", "--debug"]  # fmt: skip
    journal = workspace.frames_dir(SRC) / "extract.jsonl"
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (journal.exists() and journal.stat().st_size > 800):
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    aligned = workspace.aligned_dir(SRC)
    visible = [path for path in aligned.iterdir() if not path.name.startswith(".")]
    for path in visible:
        assert read_face(path).decode().shape == (64, 64, 3)

    report = extract(workspace, config(size=64, debug=True))

    assert report.frames == report.faces == len(names(aligned)) == 472
    # At most one batch of 64 frames, and the groups under way, are done again.
    assert report.new_frames <= 472 - len(visible) + 64 + 40
    assert all(not name.startswith(".") for name in names(workspace.debug_dir(SRC)))


def test_pictures_are_looked_at_one_by_one_and_a_corrupt_one_is_named(workspace):
    folder = workspace.frames_dir(SRC)
    folder.mkdir()
    shutil.copy(MULTI, folder / "party.jpg")
    cv2.imwrite(str(folder / "man.png"), frame_of(WEBCAM_MAN, 3))
    (folder / "broken.jpg").write_bytes(MULTI.read_bytes()[:3000])
    progress = StopAfter()

    report = extract(workspace, config(), progress=progress)

    assert (report.frames, report.faces) == (2, 6)
    assert len(report.problems) == 1
    assert "broken.jpg" in report.problems[0]
    assert progress.messages == report.problems
    assert names(workspace.aligned_dir(SRC)) == [
        "man_0.jpg", "party_0.jpg", "party_1.jpg", "party_2.jpg", "party_3.jpg", "party_4.jpg",
    ]  # fmt: skip
    assert read_face(workspace.aligned_dir(SRC) / "party_4.jpg").record.source_filename == (
        "party.jpg"
    )


def test_pictures_that_hide_a_video_are_told(workspace):
    shutil.copy(WEBCAM_MAN, workspace.root / "data_src.mp4")
    workspace.frames_dir(SRC).mkdir()
    shutil.copy(MULTI, workspace.frames_dir(SRC) / "cover.jpg")

    report = extract(workspace, config())

    assert report.frames == 1
    assert "data_src.mp4 was not read" in report.problems[0]
    assert "--from-video" in report.problems[0]
    assert not extract(workspace, config(frames=True)).problems
    (workspace.frames_dir(SRC) / "cover.jpg").rename(workspace.frames_dir(SRC) / "00001.jpg")
    assert not extract(workspace, config()).problems


def test_a_journal_whose_head_is_damaged_says_what_helps(workspace):
    shutil.copy(WEBCAM_MAN, workspace.root / "data_src.mp4")
    extract(workspace, config(fps=3))
    journal = workspace.frames_dir(SRC) / "extract.jsonl"
    before = contents(workspace.aligned_dir(SRC))
    journal.write_bytes(b"{}\n" + journal.read_bytes().split(b"\n", 1)[1])

    with pytest.raises(FormatError, match="delete the file"):
        extract(workspace, config(fps=3))

    journal.unlink()
    assert extract(workspace, config(fps=3)).new_faces == 0
    assert contents(workspace.aligned_dir(SRC)) == before


def test_max_faces_keeps_the_largest(workspace):
    folder = workspace.frames_dir(SRC)
    folder.mkdir()
    shutil.copy(MULTI, folder / "party.jpg")

    report = extract(workspace, config(max_faces=2))

    assert report.faces == 2
    rects = [
        read_face(workspace.aligned_dir(SRC) / f"party_{n}.jpg").record.source_rect for n in (0, 1)
    ]
    areas = [(rect[2] - rect[0]) * (rect[3] - rect[1]) for rect in rects]
    assert areas[0] >= areas[1]


def test_numbered_frames_are_tracked_like_the_video_they_came_from(workspace, tmp_path):
    folder = workspace.frames_dir(SRC)
    folder.mkdir()
    for index in range(12):
        cv2.imwrite(str(folder / f"{index + 1:05d}.png"), frame_of(WEBCAM_MAN, index))
    twin = Workspace(tmp_path / "twin")
    shutil.copytree(workspace.root, twin.root, ignore=shutil.ignore_patterns("data_src"))
    shutil.copy(WEBCAM_MAN, twin.root / "data_src.mp4")

    extract(workspace, config())
    extract(twin, config())

    assert names(workspace.aligned_dir(SRC)) == names(twin.aligned_dir(SRC))[:12]
    for name in names(workspace.aligned_dir(SRC)):
        ours = read_face(workspace.aligned_dir(SRC) / name).record
        theirs = read_face(twin.aligned_dir(SRC) / name).record
        np.testing.assert_array_equal(ours.source_landmarks, theirs.source_landmarks)


def test_a_truncated_video_is_used_and_the_report_says_so(workspace):
    import av

    # Matroska keeps its index out of the way, so that a cut file still plays.
    whole = workspace.root / "whole.mkv"
    with av.open(str(WEBCAM_MAN)) as source, av.open(str(whole), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    data = whole.read_bytes()
    whole.unlink()
    (workspace.root / "data_src.mkv").write_bytes(data[: len(data) // 2])

    report = extract(workspace, config())

    assert 5 < report.frames < 72
    assert report.faces == report.frames
    assert any("data_src.mkv" in problem for problem in report.problems)


def test_a_video_that_is_none_is_named(workspace):
    (workspace.root / "data_src.mp4").write_bytes(b"no video" * 100)

    with pytest.raises(MediaError, match=r"data_src\.mp4"):
        extract(workspace, config())


def test_an_empty_side_is_one_sentence(workspace):
    with pytest.raises(WorkspaceError, match=r"nothing to extract for src.*data_src\.mp4"):
        extract(workspace, config())
    with pytest.raises(WorkspaceError, match="holds no pictures"):
        extract(workspace, config(frames=True))


def test_no_face_at_all_is_an_error_and_can_be_tried_again(workspace):
    folder = workspace.frames_dir(SRC)
    folder.mkdir()
    rng = np.random.default_rng(0)
    cv2.imwrite(str(folder / "wall.png"), rng.integers(90, 110, (240, 320, 3), np.uint8))

    for _ in range(2):
        with pytest.raises(FacesetError, match=r"No face was found.*1 frames looked at"):
            extract(workspace, config())

    shutil.copy(MULTI, folder / "party.jpg")
    assert extract(workspace, config()).faces == 5
    (workspace.aligned_dir(SRC) / "party_1.jpg").unlink()
    again = extract(workspace, config())
    assert (again.faces, again.removed) == (4, 1)
    assert "removed since, and staying away: 1" in again.summary()


def test_a_packed_faceset_is_not_written_beside(workspace):
    aligned = workspace.aligned_dir(SRC)
    aligned.mkdir(parents=True)
    (aligned / "faceset.pak").write_bytes(b"x")

    with pytest.raises(FacesetError, match="dflcolab unpack"):
        extract(workspace, config())


def test_other_options_are_refused_until_the_folder_is_renamed(workspace):
    shutil.copy(WEBCAM_MAN, workspace.root / "data_src.mp4")
    extract(workspace, config(fps=2))

    with pytest.raises(FacesetError, match=r"size 128, not size 256.*rename"):
        extract(workspace, config(fps=2, size=256))

    aligned = workspace.aligned_dir(SRC)
    aligned.rename(aligned.with_name("aligned_old"))
    assert extract(workspace, config(fps=2, size=256)).size == 256
    assert names(aligned) == names(aligned.with_name("aligned_old"))


def test_an_exchanged_video_is_noticed(workspace):
    shutil.copy(WEBCAM_MAN, workspace.root / "data_src.mp4")
    extract(workspace, config(fps=2))
    shutil.copy(STUDIO_WOMAN, workspace.root / "data_src.mp4")

    with pytest.raises(FacesetError, match=r"data_src\.mp4 is not the file"):
        extract(workspace, config(fps=2))


def test_faces_of_another_program_stay_and_their_frames_are_left_alone(workspace):
    shutil.copy(WEBCAM_MAN, workspace.root / "data_src.mp4")
    extract(workspace, config(fps=2))
    (workspace.frames_dir(SRC) / "extract.jsonl").unlink()
    aligned = workspace.aligned_dir(SRC)
    before = {path.name: path.stat().st_mtime_ns for path in aligned.iterdir()}

    with pytest.raises(FacesetError, match="faces of type whole_face, not head"):
        extract(workspace, config(face_type="head"))
    report = extract(workspace, config())

    assert report.frames == 72
    assert report.new_frames == 72 - len(before)
    after = {path.name: path.stat().st_mtime_ns for path in aligned.iterdir()}
    assert before.items() <= after.items()


def test_a_full_disk_is_one_sentence_and_what_was_committed_stays(workspace, monkeypatch):
    shutil.copy(STUDIO_WOMAN, workspace.root / "data_src.mp4")
    real_replace = os.replace

    def full(source, target):
        if Path(target).name == "00200_0.jpg":
            raise OSError(28, "No space left on device")
        real_replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StorageError, match="disk is full"):
        extract(workspace, config(size=64))
    monkeypatch.undo()

    report = extract(workspace, config(size=64))

    assert report.frames == 472
    assert report.new_frames <= 472 - 128  # two batches of 64 were safe
    assert not [name for name in names(workspace.aligned_dir(SRC)) if ".tmp" in name]


def test_asking_for_the_gpu_is_answered_honestly(workspace):
    folder = workspace.frames_dir(SRC)
    folder.mkdir()
    shutil.copy(MULTI, folder / "party.jpg")
    progress = StopAfter()

    extract(workspace, config(device="gpu"), progress=progress)

    assert any("CPU" in message for message in progress.messages)


def test_heads_are_larger_unless_a_size_is_given():
    from dflcolab.faces.face_type import FaceType

    assert ExtractConfig(side=SRC).size_for(FaceType.WHOLE) == 512
    assert ExtractConfig(side=SRC).size_for(FaceType.HEAD) == 768
    assert ExtractConfig(side=SRC, size=300).size_for(FaceType.HEAD) == 300


def test_the_options_load_without_opencv_and_numpy():
    code = (
        "import sys, dflcolab.extraction.config as c; "
        "bad = {'cv2', 'numpy', 'tensorflow', 'av'} & set(sys.modules); "
        "sys.exit(len(bad))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "clip", ["address_woman2", "carphone", "speech_man", "studio_woman", "webcam_man"]
)
def test_the_person_is_found_in_every_frame_of_the_developers_videos(workspace, clip):
    shutil.copy(shared_faces() / "video" / f"{clip}.mp4", workspace.root / "data_src.mp4")

    report = extract(workspace, config(size=64))

    # The face is visible in all frames of these videos; at least 98 % is asked for.
    assert report.frames_with_face == report.faces == report.frames
