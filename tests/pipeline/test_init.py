"""`init` brings material in, records rights, and may be run again."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.errors import Interrupted, MediaError, StorageError, WorkspaceError
from dflcolab.files import sha256_of
from dflcolab.pipeline.init import init
from dflcolab.progress import Progress
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.settings import Rights, RightsBasis
from dflcolab.workspace.workspace import Workspace


def test_videos_are_copied_under_the_names_of_the_layout(tmp_path: Path, clips):
    root = tmp_path / "w"

    report = init(root, InitConfig(src=(clips["src"], clips["dst"]), dst=(clips["dst"],)))

    assert report.created
    assert report.added == ("data_src.mp4", "data_src_2.mp4", "data_dst.mp4")
    assert sha256_of(root / "data_src.mp4") == sha256_of(clips["src"])
    for folder in ("data_src/aligned", "data_dst/aligned", "model", "history"):
        assert (root / folder).is_dir()


def test_a_second_run_adds_only_what_is_new(tmp_path: Path, clips):
    root = tmp_path / "w"
    init(root, InitConfig(src=(clips["src"],)))

    report = init(root, InitConfig(src=(clips["src"], clips["dst"])))

    assert not report.created
    assert report.added == ("data_src_2.mp4",)
    assert report.already_there == ("data_src.mp4",)


def test_rights_are_recorded_and_kept(tmp_path: Path):
    root = tmp_path / "w"
    init(root, InitConfig(src_rights=RightsBasis.CONSENT, note="signed 3 May"))
    init(root, InitConfig(dst_rights=RightsBasis.SELF))
    init(root, InitConfig(name="film"))

    settings = Workspace.open(root).settings
    assert settings.rights_src == Rights(RightsBasis.CONSENT, "signed 3 May")
    assert settings.rights_dst == Rights(RightsBasis.SELF, "")
    assert settings.name == "film"


def test_a_deepfacelab_folder_gets_the_file_and_nothing_else_changes(tmp_path: Path):
    root = tmp_path / "w"
    (root / "data_src" / "aligned").mkdir(parents=True)
    (root / "data_src" / "aligned" / "00001_0.jpg").write_bytes(b"face")
    (root / "data_src.mp4").write_bytes(b"video of another program")
    (root / "model").mkdir()
    (root / "model" / "new_SAEHD_data.dat").write_bytes(b"pickle")
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}

    init(root, InitConfig())

    after = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert set(after) - set(before) == {root / "workspace.toml"}
    assert all(after[path] == data for path, data in before.items())


def test_a_file_that_is_no_video_is_refused_before_anything_is_made(tmp_path: Path):
    fake = tmp_path / "holiday.mp4"
    fake.write_text("no video")

    with pytest.raises(MediaError, match=r"holiday\.mp4"):
        init(tmp_path / "w", InitConfig(src=(fake,)))
    assert not (tmp_path / "w").exists()


@pytest.mark.bad_day("video-missing")
def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(WorkspaceError, match=r"no .*nowhere\.mp4"):
        init(tmp_path / "w", InitConfig(dst=(tmp_path / "nowhere.mp4",)))


def test_a_folder_of_pictures_becomes_the_frames_of_a_side(tmp_path: Path):
    for name, value in (("a", 10), ("b", 200)):
        (tmp_path / name).mkdir()
        for number in (1, 2, 10):
            picture = np.full((40, 40, 3), value + number, np.uint8)
            cv2.imwrite(str(tmp_path / name / f"{number}.png"), picture)
    root = tmp_path / "w"

    init(root, InitConfig(dst=(tmp_path / "a",)))
    again = init(root, InitConfig(dst=(tmp_path / "a", tmp_path / "b")))

    names = sorted(path.name for path in (root / "data_dst").glob("*.png"))
    assert names == ["1.png", "10.png", "2.png", "b-1.png", "b-10.png", "b-2.png"]
    assert len(again.added) == len(again.already_there) == 1


def test_pictures_and_videos_of_one_side_never_share_frame_names(tmp_path: Path, clips):
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "00001.png"), np.zeros((40, 40, 3), np.uint8))
    photos = tmp_path / "photos"

    init(tmp_path / "a", InitConfig(src=(photos, clips["src"])))
    init(tmp_path / "b", InitConfig(src=(clips["src"], photos)))

    assert (tmp_path / "a" / "data_src" / "00001.png").exists()
    assert (tmp_path / "a" / "data_src_2.mp4").exists()
    assert (tmp_path / "b" / "data_src" / "photos-00001.png").exists()
    assert (tmp_path / "b" / "data_src.mp4").exists()


def test_an_empty_folder_is_refused(tmp_path: Path):
    (tmp_path / "empty").mkdir()

    with pytest.raises(WorkspaceError, match="holds no pictures"):
        init(tmp_path / "w", InitConfig(src=(tmp_path / "empty",)))


@pytest.mark.bad_day("workspace-is-file")
def test_a_file_in_place_of_the_workspace_is_one_sentence(tmp_path: Path):
    (tmp_path / "w").write_text("")

    with pytest.raises(WorkspaceError, match="is a file"):
        init(tmp_path / "w", InitConfig())


def test_a_stop_while_copying_leaves_no_half_video(tmp_path: Path, clips):
    progress = Progress()
    progress.request_stop()

    with pytest.raises(Interrupted):
        init(tmp_path / "w", InitConfig(src=(clips["src"],)), progress=progress)

    assert not [path.name for path in (tmp_path / "w").iterdir() if "mp4" in path.name]


@pytest.mark.bad_day("no-room")
def test_a_video_that_cannot_fit_is_refused_before_copying(
    tmp_path: Path, clips, monkeypatch: pytest.MonkeyPatch
):
    import shutil

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))

    with pytest.raises(StorageError, match="disk is too full"):
        init(tmp_path / "w", InitConfig(src=(clips["src"],)))
