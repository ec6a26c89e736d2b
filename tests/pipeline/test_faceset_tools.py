"""`pack`, `resize`, `metadata` and `mask export`, as a user runs them."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.errors import (
    ConfigError,
    DFLColabError,
    FacesetError,
    FormatError,
    Interrupted,
    StorageError,
    UnsafeFileError,
)
from dflcolab.extraction.config import AppendConfig
from dflcolab.extraction.journal import FILE_NAME, Journal, read_options
from dflcolab.faces.face_record import Polygon
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset import folder_swap
from dflcolab.faceset.config import (
    CleanConfig,
    PackConfig,
    SortConfig,
    SortKind,
    UnpackConfig,
)
from dflcolab.faceset.faceset import load_faceset
from dflcolab.faceset.tools_config import MetadataConfig, ResizeConfig
from dflcolab.formats import pickle_writer
from dflcolab.formats.dfl_jpeg import encode_xseg_mask, read_face, read_record, replace_record
from dflcolab.formats.faceset_pak import PAK_NAME
from dflcolab.formats.jpeg_segments import read_header
from dflcolab.pipeline.append import append
from dflcolab.pipeline.clean import clean
from dflcolab.pipeline.mask import masks as mask
from dflcolab.pipeline.mask_labels import labels as mask_labels
from dflcolab.pipeline.metadata import metadata
from dflcolab.pipeline.pack import pack, unpack
from dflcolab.pipeline.resize import resize
from dflcolab.pipeline.sort import sort
from dflcolab.progress import Progress, Task
from dflcolab.workspace.settings import WorkspaceSettings, write_settings
from dflcolab.workspace.trash import Removal, Trash
from dflcolab.workspace.workspace import Side, Workspace
from dflcolab.xseg.config import MaskConfig
from tests.formats.face_files import VECTORS, face_file
from tests.formats.strict_reader import strict_file

SQUARE = Polygon(True, np.array([[5, 5], [40, 5], [40, 30], [5, 30]], np.float32))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace with the 20 real faces of the sorting vectors on its src side."""
    root = tmp_path / "workspace"
    folder = root / "data_src" / "aligned"
    folder.mkdir(parents=True)
    write_settings(root, WorkspaceSettings(name="tools"))
    for path in (VECTORS / "sort" / "faces").glob("*.jpg"):
        if read_record(path) is not None:
            (folder / path.name).write_bytes(path.read_bytes())
    return Workspace.open(root)


def aligned(workspace: Workspace) -> Path:
    return workspace.aligned_dir(Side.SRC)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*.jpg"))
    }


class StopAfter(Progress):
    """Asks to stop after a number of finished units."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.left = n

    def task(self, title: str, *, total: int | None, unit: str, done: int = 0) -> Task:
        owner, task = self, super().task(title, total=total, unit=unit, done=done)
        advance = task.advance

        def counting(n: int = 1, *, note: str = "") -> None:
            advance(n, note=note)
            owner.left -= n
            if owner.left <= 0:
                owner.request_stop()

        task.advance = counting  # type: ignore[method-assign]
        return task


# --- packs with people ----------------------------------------------------------------------------


def into_people(workspace: Workspace) -> dict[str, bytes]:
    folder = aligned(workspace)
    for number, path in enumerate(sorted(folder.glob("*.jpg"))):
        person = folder / ("anna" if number % 3 else "zoe")
        person.mkdir(exist_ok=True)
        path.rename(person / path.name)
    return contents(folder)


def test_people_are_packed_under_their_folders_names_and_come_back(workspace: Workspace):
    before = into_people(workspace)

    report = pack(workspace, PackConfig(side=Side.SRC))

    assert report.people == ("anna", "zoe")
    assert [path.name for path in aligned(workspace).iterdir()] == [PAK_NAME]
    assert load_faceset(aligned(workspace)).names == tuple(sorted(before))
    unpack(workspace, UnpackConfig(side=Side.SRC))
    assert contents(aligned(workspace)) == before


def test_new_faces_of_a_person_join_the_pack(workspace: Workspace):
    before = into_people(workspace)
    late = aligned(workspace) / "anna" / next(n for n in before if n.startswith("anna"))[5:]
    data = late.read_bytes()
    late.unlink()
    pack(workspace, PackConfig(side=Side.SRC))
    late.parent.mkdir()
    late.write_bytes(data)

    report = pack(workspace, PackConfig(side=Side.SRC))

    assert (report.added, report.faces) == (1, len(before))
    unpack(workspace, UnpackConfig(side=Side.SRC))
    assert contents(aligned(workspace)) == before


def test_faces_beside_the_peoples_folders_need_a_decision(workspace: Workspace):
    before = into_people(workspace)
    stray = face_file(aligned(workspace), "stray.jpg")
    with pytest.raises(FacesetError, match="--no-persons") as error:
        pack(workspace, PackConfig(side=Side.SRC))
    assert "anna, zoe" in str(error.value)
    assert contents(aligned(workspace)) == before | {"stray.jpg": stray.read_bytes()}

    report = pack(workspace, PackConfig(side=Side.SRC, persons=True))
    assert report.faces == len(before)
    assert "1 faces outside" in report.problems[0]
    assert stray.exists()


def test_without_persons_the_folders_stay(workspace: Workspace):
    into_people(workspace)
    face_file(aligned(workspace), "stray.jpg")
    report = pack(workspace, PackConfig(side=Side.SRC, persons=False))
    assert (report.faces, report.people) == (1, ())
    assert len(report.problems) == 2
    assert (aligned(workspace) / "zoe").is_dir()


def test_people_and_nobody_do_not_mix(workspace: Workspace):
    into_people(workspace)
    pack(workspace, PackConfig(side=Side.SRC))
    face_file(aligned(workspace), "stray.jpg")
    with pytest.raises(FacesetError, match="folder of their person"):
        pack(workspace, PackConfig(side=Side.SRC))
    unpack(workspace, UnpackConfig(side=Side.SRC))


def test_what_lies_beside_the_faces_of_a_person_stays(workspace: Workspace):
    into_people(workspace)
    note = aligned(workspace) / "anna" / "note.txt"
    note.write_text("not a face")
    pack(workspace, PackConfig(side=Side.SRC))
    assert note.read_text() == "not a face"
    assert not (aligned(workspace) / "zoe").exists()


def test_a_truncated_pack_is_neither_unpacked_nor_added_to(workspace: Workspace):
    paths = list(aligned(workspace).glob("*.jpg"))
    pack(workspace, PackConfig(side=Side.SRC))
    pak = aligned(workspace) / PAK_NAME
    whole = pak.read_bytes()
    pak.write_bytes(whole[:-1000])
    with pytest.raises(FormatError, match="1000 bytes are missing") as refused:
        unpack(workspace, UnpackConfig(side=Side.SRC))
    assert f"append -w NEW --side src --from {pak}`" in str(refused.value)
    (workspace.root / "new").mkdir()
    write_settings(workspace.root / "new", WorkspaceSettings(name="new"))
    rescued = append(
        Workspace.open(workspace.root / "new"), AppendConfig(side=Side.SRC, from_=(pak,))
    )
    assert rescued.new_faces == len(paths) - 1
    face_file(aligned(workspace), "new.jpg")
    with pytest.raises(FormatError, match="truncated"):
        pack(workspace, PackConfig(side=Side.SRC))
    assert pak.read_bytes() == whole[:-1000]
    assert (aligned(workspace) / "new.jpg").exists()


def test_names_that_cannot_be_packed_stay_loose(workspace: Workspace):
    odd = face_file(aligned(workspace), "a\\b.jpg")
    report = pack(workspace, PackConfig(side=Side.SRC))
    assert odd.exists()
    assert "rename it" in report.problems[0]


# --- resize ---------------------------------------------------------------------------------------


def test_a_faceset_is_resized_and_brought_back(workspace: Workspace):
    folder = aligned(workspace)
    before = contents(folder)
    (folder / "notes.txt").write_text("keep me")
    (folder / "album").mkdir()

    report = resize(workspace, ResizeConfig(side=Side.SRC, size=96))

    assert report.resized == len(before)
    assert contents(folder).keys() == before.keys()
    for path in folder.glob("*.jpg"):
        (height, width), values = strict_file(path)
        assert (height, width) == (96, 96)
        own = read_face(report.kept / path.name)
        np.testing.assert_allclose(
            values["landmarks"], own.record.landmarks * 96 / own.width, rtol=1e-5
        )
    assert (folder / "notes.txt").read_text() == "keep me"
    assert (folder / "album").is_dir()
    assert report.kept == folder.with_name("aligned_before_resize")
    assert contents(report.kept) == before

    undone = resize(workspace, ResizeConfig(side=Side.SRC, undo=True))
    assert contents(folder) == before
    assert (folder / "notes.txt").read_text() == "keep me"
    assert (folder / "album").is_dir()
    assert undone.since_then == 0
    assert sorted(path.name for path in folder.parent.iterdir()) == [
        "aligned",
        "aligned_after_resize",
    ]
    with pytest.raises(FacesetError, match="nothing was changed"):
        resize(workspace, ResizeConfig(side=Side.SRC, undo=True))


def test_undoing_a_resize_keeps_what_was_done_since(workspace: Workspace):
    folder, trash = aligned(workspace), Trash.of(workspace, Side.SRC)
    before = contents(folder)
    resize(workspace, ResizeConfig(side=Side.SRC, size=64))
    former = {small: before[name] for name, small in contents(folder).items()}
    paths = sorted(folder.glob("*.jpg"))
    trash.move([Removal(path, "blur: much less sharp than the others") for path in paths[:3]])
    paths[3].unlink()
    sort(workspace, SortConfig(side=Side.SRC, by=SortKind.FACE_YAW))
    wanted = {name: former[small] for name, small in contents(folder).items()}
    wanted["later.jpg"] = face_file(folder, "later.jpg").read_bytes()

    report = resize(workspace, ResizeConfig(side=Side.SRC, undo=True))

    assert (report.restored, report.removed, report.since_then) == (len(paths) - 4, 4, 1)
    assert "4 faces (`dflcolab clean --side src --undo`" in report.summary()
    assert contents(folder) == wanted  # the order of the sort, the pictures from before
    assert not (folder.parent / "aligned_before_resize").exists()
    assert len(list((folder.parent / "aligned_after_resize").iterdir())) == len(paths) - 1

    clean(workspace, CleanConfig(side=Side.SRC, undo=True))

    back = contents(folder)
    del back["later.jpg"]
    assert sorted(back.values()) == sorted(before.values())


def test_undoing_a_resize_of_a_deleted_set_brings_all_of_it_back(workspace: Workspace):
    folder = aligned(workspace)
    before = contents(folder)
    resize(workspace, ResizeConfig(side=Side.SRC, size=64))
    shutil.rmtree(folder)
    resize(workspace, ResizeConfig(side=Side.SRC, undo=True))
    assert contents(folder) == before


def test_later_faces_are_made_as_a_resize_has_left_the_others(workspace: Workspace):
    journal = workspace.frames_dir(Side.SRC) / FILE_NAME
    size = read_face(next(aligned(workspace).glob("*.jpg"))).width
    options = {"face_type": "whole_face", "size": size}
    with Journal(journal, options) as written:
        written.add("data_src.mp4", {"0": 1}, (), identity=None, fps=None)
    whole = journal.read_bytes()

    resize(workspace, ResizeConfig(side=Side.SRC, size=64, face_type=FaceType.FULL))

    assert read_options(journal) == {"face_type": "full_face", "size": 64}
    assert journal.read_bytes().splitlines()[1:] == whole.splitlines()[1:]
    resize(workspace, ResizeConfig(side=Side.SRC, undo=True))
    assert journal.read_bytes() == whole


def test_a_folder_that_no_other_can_replace_is_not_resized(workspace: Workspace, tmp_path: Path):
    folder = aligned(workspace)
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    before = contents(tmp_path / "elsewhere")
    for config in (
        ResizeConfig(side=Side.SRC, size=64),
        ResizeConfig(side=Side.SRC, undo=True),
    ):
        with pytest.raises(FacesetError, match="is a link"):
            resize(workspace, config)
    assert contents(tmp_path / "elsewhere") == before
    assert folder.is_symlink()


def test_faces_come_back_after_a_resize_that_was_killed(workspace: Workspace):
    """Between the two renames the faceset has no folder; what comes back must not stand for it."""
    folder = aligned(workspace)
    names = sorted(contents(folder))
    Trash.of(workspace, Side.SRC).move([Removal(folder / names[0], "blur: soft")])
    staged, kept = (folder.with_name(name) for name in (".aligned_resized", "aligned_before"))
    shutil.copytree(folder, staged)
    folder_swap.write_text(
        folder.with_name(".aligned.swap.json"),
        json.dumps({"staged": staged.name, "kept": kept.name, "carry": []}),
    )
    folder.rename(kept)

    clean(workspace, CleanConfig(side=Side.SRC, undo=True))

    assert sorted(contents(folder)) == names
    assert not staged.exists()


def test_another_face_type_alone_keeps_the_size(workspace: Workspace):
    before = {face.width for face in load_faceset(aligned(workspace)).faces}
    report = resize(workspace, ResizeConfig(side=Side.SRC, face_type=FaceType.FULL))
    found = load_faceset(aligned(workspace))
    assert {face.width for face in found.faces} == before
    assert {record.face_type for record in found.records} == {FaceType.FULL}
    assert (report.size, report.face_type) == (None, "full_face")
    assert report.summary().startswith(f"Now full_face: {len(found)} faces of src.")


def test_another_face_type_says_what_it_costs(workspace: Workspace):
    report = resize(workspace, ResizeConfig(side=Side.SRC, size=256, face_type=FaceType.HEAD))
    text = report.summary()
    assert report.with_border == report.resized
    assert "empty border" in text
    assert "--undo" in text
    assert all(r.face_type is FaceType.HEAD for r in load_faceset(aligned(workspace)).records)
    bigger = resize(workspace, ResizeConfig(side=Side.SRC, size=512))
    assert bigger.enlarged == bigger.resized
    assert "no detail" in bigger.summary()
    assert bigger.kept is not None
    assert bigger.kept.name == "aligned_before_resize~2"
    with pytest.raises(FacesetError, match="mark_only"):
        resize(workspace, ResizeConfig(side=Side.SRC, face_type=FaceType.MARK_ONLY))


def test_files_that_cannot_be_resized_are_named_and_stay(workspace: Workspace):
    folder = aligned(workspace)
    paths = sorted(folder.glob("*.jpg"))
    paths[0].write_bytes(paths[0].read_bytes()[:400])
    oblong = cv2.imencode(".jpg", np.zeros((50, 70, 3), np.uint8))[1].tobytes()
    kept = read_record(paths[1])
    assert kept is not None
    paths[1].write_bytes(oblong)
    replace_record(paths[1], kept)
    paths[2].write_bytes(oblong)
    before = contents(folder)

    report = resize(workspace, ResizeConfig(side=Side.SRC, size=64))

    assert len(report.problems) == 3
    after = contents(folder)
    assert after.keys() == before.keys()
    for path, problem in zip(paths[:3], report.problems, strict=True):
        assert path.name in problem
        assert after[path.name] == before[path.name]
    resize(workspace, ResizeConfig(side=Side.SRC, undo=True))
    assert contents(folder) == before


def test_faces_as_wanted_change_nothing(workspace: Workspace):
    first = resize(workspace, ResizeConfig(side=Side.SRC, size=80))
    before = contents(aligned(workspace))
    again = resize(workspace, ResizeConfig(side=Side.SRC, size=80))
    assert (again.resized, again.unchanged, again.kept) == (0, first.resized, None)
    assert contents(aligned(workspace)) == before


def test_an_interrupted_resize_goes_on_unless_the_faces_changed(workspace: Workspace):
    folder = aligned(workspace)
    before = contents(folder)
    with pytest.raises(Interrupted):
        resize(workspace, ResizeConfig(side=Side.SRC, size=72), progress=StopAfter(5))
    assert contents(folder) == before
    staged = folder.with_name(".aligned_resized")
    made = {path.name: path.stat().st_mtime_ns for path in staged.glob("*.jpg")}
    assert len(made) >= 5
    # A sort in between gives the names to other faces.
    first, last = min(folder.glob("*.jpg")), max(folder.glob("*.jpg"))
    spare = folder / "spare"
    first.rename(spare)
    last.rename(first)
    spare.rename(last)

    report = resize(workspace, ResizeConfig(side=Side.SRC, size=72))

    assert report.kept is not None
    for path in folder.glob("*.jpg"):
        own = read_record(report.kept / path.name)
        new = read_record(path)
        assert own is not None
        assert new is not None
        assert own.source_filename == new.source_filename
        np.testing.assert_array_equal(own.source_landmarks, new.source_landmarks)
    untouched = [name for name in made if name not in (first.name, last.name)]
    assert [(folder / name).stat().st_mtime_ns for name in untouched] == [
        made[name] for name in untouched
    ]


def test_a_face_that_went_meanwhile_does_not_come_back(workspace: Workspace):
    folder = aligned(workspace)
    with pytest.raises(Interrupted):
        resize(workspace, ResizeConfig(side=Side.SRC, size=72), progress=StopAfter(5))
    gone = min(folder.glob("*.jpg"))
    gone.unlink()
    resize(workspace, ResizeConfig(side=Side.SRC, size=72))
    assert not gone.exists()


@pytest.mark.parametrize("undo", [False, True])
@pytest.mark.parametrize("step", range(12))
def test_a_kill_at_any_rename_leaves_the_old_faces_or_the_new(
    workspace: Workspace, step: int, undo: bool, monkeypatch: pytest.MonkeyPatch
):
    folder = aligned(workspace)
    before = contents(folder)
    (folder / "notes.txt").write_text("keep me")
    if undo:
        resize(workspace, ResizeConfig(side=Side.SRC, size=64))
        before = contents(folder)
    steps = [step]

    class Killed(BaseException):
        pass

    def counted(function: Callable) -> Callable:
        def call(*args, **kwargs):
            steps[0] -= 1
            if steps[0] < 0:
                raise Killed
            return function(*args, **kwargs)

        return call

    with monkeypatch.context() as context:
        context.setattr(Path, "rename", counted(Path.rename))
        context.setattr(folder_swap, "fsync_dir", counted(folder_swap.fsync_dir))
        context.setattr(folder_swap, "write_text", counted(folder_swap.write_text))
        try:
            resize(workspace, ResizeConfig(side=Side.SRC, size=64, undo=undo))
        except Killed:
            pass
    found = load_faceset(folder)  # whoever comes next finishes it

    assert len(found) == len(before)
    sizes = {face.width for face in found.faces}
    assert len(sizes) == 1
    changed = contents(folder) != before
    assert changed == (step >= 1)  # what is written down first counts from then on
    assert (folder / "notes.txt").read_text() == "keep me"
    assert not list(folder.parent.glob(".*.json"))


def test_a_full_disk_leaves_the_faceset_as_it_was(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
):
    before = contents(aligned(workspace))
    real, left = os.replace, [7]

    def full(*args, **kwargs):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        return real(*args, **kwargs)

    with monkeypatch.context() as context:
        context.setattr(os, "replace", full)
        with pytest.raises(StorageError, match="disk is full"):
            resize(workspace, ResizeConfig(side=Side.SRC, size=64))
    assert contents(aligned(workspace)) == before
    assert resize(workspace, ResizeConfig(side=Side.SRC, size=64)).resized == len(before)


# --- metadata -------------------------------------------------------------------------------------


def scan_of(data: bytes) -> bytes:
    """A JPEG's tables and picture data, without its APP segments."""
    header = read_header(io.BytesIO(data), "it")
    tables = b"".join(s.encode() for s in header.segments if not 0xE0 <= s.marker <= 0xEF)
    return tables + data[header.scan_offset :]


def edit(path: Path, *, size: int | None = None) -> bytes:
    """What a picture editor does: decode, paint, save; APP15 is gone."""
    picture = cv2.imread(str(path))
    assert picture is not None
    picture[10:20, 10:20] = (0, 0, 255)
    if size:
        picture = cv2.resize(picture, (size, size))
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 93])
    assert read_record(path) is None
    return path.read_bytes()


def test_edited_pictures_get_their_metadata_back_with_their_new_pixels(workspace: Workspace):
    folder = aligned(workspace)
    paths = sorted(folder.glob("*.jpg"))
    records = {path.name: read_face(path) for path in paths}
    before = contents(folder)
    saved = metadata(workspace, MetadataConfig(action="save", side=Side.SRC))
    assert saved.faces == len(paths)
    edited = {path: edit(path) for path in paths[:3]}
    edit(paths[3], size=50)

    report = metadata(workspace, MetadataConfig(action="restore", side=Side.SRC))

    assert (report.faces, report.resized) == (len(paths), 1)
    assert report.without_entry == report.without_face == ()
    for path, data in edited.items():
        assert scan_of(path.read_bytes()) == scan_of(data)  # not compressed again
        strict_file(path)
    for path in paths:
        face, old = read_face(path), records[path.name]
        assert (face.width, face.height) == (old.width, old.height)
        np.testing.assert_array_equal(face.record.landmarks, old.record.landmarks)
        assert face.record.source_filename == old.record.source_filename
        assert face.record.xseg_mask == old.record.xseg_mask
    for path in paths[4:]:
        assert scan_of(path.read_bytes()) == scan_of(before[path.name])
    assert not (folder / "meta.dat").exists()
    assert report.file == folder / "meta_restored.dat"
    assert report.file.exists()


def test_untouched_faces_are_not_written_again(workspace: Workspace):
    """DeepFaceLab's own files hold the same metadata in other bytes."""
    folder = aligned(workspace)
    paths = sorted(folder.glob("*.jpg"))
    before = contents(folder)
    metadata(workspace, MetadataConfig(action="save", side=Side.SRC))
    edit(paths[1])
    report = metadata(workspace, MetadataConfig(action="restore", side=Side.SRC))
    assert (report.faces, report.written) == (len(paths), 1)
    after = contents(folder)
    assert [name for name in before if after[name] != before[name]] == [paths[1].name]


def test_a_damaged_backup_says_what_is_left(workspace: Workspace):
    backup = aligned(workspace) / "meta.dat"
    save, restore = (MetadataConfig(action=a, side=Side.SRC) for a in ("save", "restore"))
    metadata(workspace, save)
    whole = backup.read_bytes()
    backup.write_bytes(whole[:1000])
    for config in (save, restore):
        with pytest.raises(FormatError, match="Move it away: `dflcolab metadata save`"):
            metadata(workspace, config)
    backup.with_name("meta~2.dat").write_bytes(whole)
    with pytest.raises(FormatError, match=r"meta~2\.dat.*rename that to meta\.dat"):
        metadata(workspace, restore)


def test_deepfacelabs_backup_is_restored(workspace: Workspace):
    folder = aligned(workspace)
    paths = sorted(folder.glob("*.jpg"))[:2]
    names = ["00000.jpg", "00001.jpg"]
    for path, name in zip(paths, names, strict=True):
        path.rename(folder / name)
        edit(folder / name, size=96)
    shutil.copy(VECTORS / "meta" / "meta.dat", folder / "meta.dat")

    report = metadata(workspace, MetadataConfig(action="restore", side=Side.SRC))

    assert (report.faces, report.written) == (2, 2)
    assert len(report.without_entry) == len(list(folder.glob("*.jpg"))) - 2
    assert read_record(folder / names[0]).source_filename == "m0.png"


def test_saving_does_not_drop_what_only_the_backup_knows(workspace: Workspace):
    folder = aligned(workspace)
    metadata(workspace, MetadataConfig(action="save", side=Side.SRC))
    backup = (folder / "meta.dat").read_bytes()
    path = min(folder.glob("*.jpg"))
    edit(path)
    with pytest.raises(FacesetError, match="metadata restore"):
        metadata(workspace, MetadataConfig(action="save", side=Side.SRC))
    assert (folder / "meta.dat").read_bytes() == backup
    metadata(workspace, MetadataConfig(action="restore", side=Side.SRC))
    for _ in range(2):
        metadata(workspace, MetadataConfig(action="save", side=Side.SRC))
    assert (folder / "meta~2.dat").read_bytes() == (folder / "meta.dat").read_bytes()


def test_faces_that_came_or_went_are_named(workspace: Workspace):
    folder = aligned(workspace)
    metadata(workspace, MetadataConfig(action="save", side=Side.SRC))
    paths = sorted(folder.glob("*.jpg"))
    paths[0].unlink()
    paths[1].rename(paths[1].with_suffix(".png"))
    face_file(folder, "new.jpg")

    report = metadata(workspace, MetadataConfig(action="restore", side=Side.SRC))

    assert report.without_face == (paths[0].name, paths[1].name)
    assert "new.jpg" in report.without_entry
    assert f"save it as {paths[1].name}" in report.problems[0]
    assert report.file == folder / "meta.dat"  # it stays until all is done


@pytest.mark.parametrize(
    ("data", "error", "sentence"),
    [
        (b"", FormatError, "truncated"),
        (b"\x80\x04]q\x00.", FormatError, "no metadata backup"),
        (b"\x80\x04cos\nsystem\nX\x02\0\0\0ls\x85R.", UnsafeFileError, r"os\.system"),
        (pickle_writer.dumps({"a.jpg": 7}), FormatError, "no usable entry"),
        (
            pickle_writer.dumps({"a.jpg": ((1 << 40, 9, 3), {"landmarks": [[0, 0]] * 68})}),
            FormatError,
            "no usable entry",
        ),
    ],
)
def test_a_backup_that_is_none_changes_nothing(
    workspace: Workspace, data: bytes, error: type[DFLColabError], sentence: str
):
    before = contents(aligned(workspace))
    (aligned(workspace) / "meta.dat").write_bytes(data)
    with pytest.raises(error, match=sentence):
        metadata(workspace, MetadataConfig(action="restore", side=Side.SRC))
    assert contents(aligned(workspace)) == before
    assert (aligned(workspace) / "meta.dat").read_bytes() == data


def test_an_entry_with_a_path_reaches_nothing_outside(workspace: Workspace, tmp_path: Path):
    victim = tmp_path / "victim.jpg"
    shutil.copy(next(aligned(workspace).glob("*.jpg")), victim)
    data = victim.read_bytes()
    values = {"landmarks": [[0, 0]] * 68}
    entries = dict.fromkeys((str(victim), "../../../victim.jpg"), ((9, 9, 3), values))
    (aligned(workspace) / "meta.dat").write_bytes(pickle_writer.dumps(entries))
    report = metadata(workspace, MetadataConfig(action="restore", side=Side.SRC))
    assert report.written == 0
    assert victim.read_bytes() == data


def test_a_backup_is_put_into_its_own_faces_only(workspace: Workspace):
    folder = aligned(workspace)
    save, restore = (MetadataConfig(action=a, side=Side.SRC) for a in ("save", "restore"))
    sort(workspace, SortConfig(side=Side.SRC, by=SortKind.HUE))
    names = sorted(path.name for path in folder.glob("*.jpg"))
    metadata(workspace, save)
    sort(workspace, SortConfig(side=Side.SRC, by=SortKind.FACE_YAW))
    before = contents(folder)

    with pytest.raises(FacesetError, match=r"sorted or renamed since .* --by recover-names"):
        metadata(workspace, restore)

    assert contents(folder) == before
    sort(workspace, SortConfig(side=Side.SRC, by=SortKind.HUE))
    drawn, moved = (read_record(folder / name) for name in names[:2])
    assert drawn is not None
    assert moved is not None
    replace_record(folder / names[0], drawn.replace(polygons=(SQUARE,)))
    corrected = moved.landmarks + 1.0
    replace_record(folder / names[1], moved.replace(landmarks=corrected))
    edit(folder / names[2])

    report = metadata(workspace, restore)

    assert (report.faces, report.written) == (len(names) - 1, 2)
    assert names[1] in report.problems[0]
    kept = read_record(folder / names[1])
    assert kept is not None
    np.testing.assert_array_equal(kept.landmarks, corrected)
    assert report.outlines is not None
    assert names[0] in report.outlines.read_text()
    assert report.file == folder / "meta.dat"  # one of its entries has no place


# --- masks ----------------------------------------------------------------------------------------


def test_masks_become_pictures_from_the_best_that_there_is(workspace: Workspace):
    folder = aligned(workspace)
    paths = sorted(folder.glob("*.jpg"))
    square = (Polygon(True, np.array([[5, 5], [40, 5], [40, 30], [5, 30]], np.float32)),)
    soft = np.zeros((64, 64, 1), np.float32)
    soft[:, :32] = 0.4
    soft[:, 32:] = 0.9
    for path in paths:
        own = read_record(path)
        assert own is not None
        replace_record(path, own.replace(xseg_mask=None, polygons=()))
    first, second = read_record(paths[0]), read_record(paths[1])
    assert first is not None
    assert second is not None
    replace_record(paths[0], first.replace(xseg_mask=encode_xseg_mask(soft), polygons=square))
    replace_record(paths[1], second.replace(polygons=square))
    before = contents(folder)

    report = mask(workspace, MaskConfig(action="export", side=Side.SRC))

    assert report.exported == {"xseg": 1, "polygons": 1, "hull": len(paths) - 2}
    assert report.folder == folder.with_name("aligned_mask")
    assert contents(folder) == before
    pictures = [
        cv2.imread(str(report.folder / f"{path.stem}_mask.png"), cv2.IMREAD_UNCHANGED)
        for path in paths
    ]
    for picture, path in zip(pictures, paths, strict=True):
        assert picture is not None
        assert picture.shape == (read_face(path).height, read_face(path).width)
        assert set(np.unique(picture)) == {0, 255}
    half = pictures[0].shape[1] // 2
    assert (pictures[0][:, : half - 1] == 0).all()  # 0.4 is cut away
    assert (pictures[0][:, half + 1 :] == 255).all()
    assert np.count_nonzero(pictures[1]) == 36 * 26  # edges included


def test_faces_without_a_mask_can_be_left_out(workspace: Workspace, tmp_path: Path):
    report = mask(
        workspace,
        MaskConfig(action="export", side=Side.SRC, out=tmp_path / "masks", hull=False),
    )
    assert report.exported["hull"] == 0
    written = len(list((tmp_path / "masks").iterdir()))
    assert written == sum(report.exported.values())
    assert f"{report.faces - written} files were left out" in report.summary()
    with pytest.raises(ConfigError, match="--out"):
        mask(workspace, MaskConfig(action="export", side=Side.SRC, out=aligned(workspace)))


def test_masks_whose_names_would_collide_or_be_too_long_are_told(
    workspace: Workspace, tmp_path: Path
):
    folder = aligned(workspace)
    shutil.rmtree(folder)
    people = ("anna", "zoe")
    for person in people:
        (folder / person).mkdir(parents=True)
        face_file(folder / person, "a.jpg", polygons=(SQUARE,))
    out = tmp_path / "out"
    mask_labels(workspace, MaskConfig(action="labels", side=Side.SRC, out=out, format="png"))
    assert sorted(path.parent.name for path in out.rglob("a_mask.png")) == [*people]
    shutil.rmtree(folder)
    folder.mkdir()
    long = "é" * 124 + ".jpg"
    for name in ("a.jpg", "a.JPG", "b.jpg", long):
        face_file(folder, name, polygons=(SQUARE,))

    found = mask(workspace, MaskConfig(action="export", side=Side.SRC, out=tmp_path / "masks"))

    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == [
        "a_mask.png", "b_mask.png",
    ]  # fmt: skip
    assert found.exported["polygons"] == 2
    assert any("that of a.JPG has the same name" in problem for problem in found.problems)
    assert any(long in problem and "too long" in problem for problem in found.problems)


# --- original names -------------------------------------------------------------------------------


def test_names_are_recovered_around_odd_and_missing_ones(workspace: Workspace):
    folder = aligned(workspace)
    shutil.rmtree(folder)
    folder.mkdir()
    long = "x" * 300
    sources = {
        "00000.jpg": "frame.png",
        "00001.jpg": None,
        "00002.jpg": "frame.png",
        "00003.jpg": ".hidden.png",
        "00004.jpg": "no ending",
        "00005.jpg": "FRAME.png",
        "00006.jpg": long + ".png",
        "00007.jpg": "C:\\video\\a\x07b.png",
        "frame_0.jpg": None,
    }
    for seed, (name, source) in enumerate(sources.items()):
        face_file(folder, name, seed=seed, source_filename=source)
    (folder / "zebra.jpg").write_bytes(b"\xff\xd8 damaged")
    before = sorted(contents(folder).values())

    sort(workspace, SortConfig(side=Side.SRC, by=SortKind.RECOVER_NAMES))

    names = sorted(path.name for path in folder.iterdir())
    assert sorted(contents(folder).values()) == before
    assert names == sorted(
        [
            "00001.jpg",  # says no frame: keeps its name
            "frame_0.jpg",  # the same
            "frame_1.jpg",
            "frame_2.jpg",
            "FRAME_3.jpg",  # on a Mac or Windows disk this is the name of a frame_3.jpg, too
            "hidden_0.jpg",
            "no ending_0.jpg",
            "x" * 200 + "_0.jpg",
            "ab_0.jpg",
            "zebra.jpg",
        ]
    )


# --- the command line -----------------------------------------------------------------------------


def test_the_commands_work_and_refuse_in_one_sentence(workspace: Workspace, cli):
    root, folder = workspace.root, aligned(workspace)
    side = ("-w", root, "--side", "src")
    n = len(list(folder.glob("*.jpg")))
    assert cli.report("metadata", "save", *side)["faces"] == n
    assert cli.report("resize", *side, "--size", 64, "--face-type", "full_face")["resized"] == n
    assert cli.report("resize", *side, "--undo")["undone"] is True
    assert sum(cli.report("mask", "export", *side)["exported"].values()) == n
    assert cli.report("pack", *side)["added"] == n
    assert "unpack" in cli.refusal("resize", *side)
    assert "unpack" in cli.refusal("metadata", "save", *side)
    assert "unpack" in cli.refusal("mask", "export", *side)
    pak = folder / PAK_NAME
    pak.write_bytes(pak.read_bytes()[:-10])
    assert "10 bytes are missing" in cli.refusal("unpack", *side)
    pak.unlink()
    for words in (("resize",), ("metadata", "save"), ("pack",), ("mask", "export")):
        assert "no faces" in cli.refusal(*words, *side)
    assert "faces from before" in cli.refusal("resize", *side, "--undo")


def test_every_face_that_a_tool_has_touched_is_deepfacelabs(workspace: Workspace):
    resize(workspace, ResizeConfig(side=Side.SRC, size=64, face_type=FaceType.FULL))
    mask(workspace, MaskConfig(action="remove", side=Side.SRC, what="all"))
    metadata(workspace, MetadataConfig(action="save", side=Side.SRC))
    for path in sorted(aligned(workspace).glob("*.jpg"))[:2]:
        edit(path)
    metadata(workspace, MetadataConfig(action="restore", side=Side.SRC))
    pack(workspace, PackConfig(side=Side.SRC))
    unpack(workspace, UnpackConfig(side=Side.SRC))
    for path in aligned(workspace).glob("*.jpg"):
        size, values = strict_file(path)
        assert size == (64, 64)
        assert values["face_type"] == "full_face"


@pytest.mark.slow
@pytest.mark.parametrize("words", [("resize", "--size", "120"), ("metadata", "restore")])
def test_a_killed_tool_loses_no_face_and_goes_on(workspace: Workspace, words: tuple[str, ...], cli):
    root, folder = workspace.root, aligned(workspace)
    sources = sorted(str(r.source_filename) for r in load_faceset(folder).records)
    pictures = contents(folder)
    chance = random.Random(str(words))
    for _ in range(6):
        shutil.rmtree(folder.parent)
        folder.mkdir(parents=True)
        for name, data in pictures.items():
            (folder / name).write_bytes(data)
        if words[0] == "metadata":
            metadata(workspace, MetadataConfig(action="save", side=Side.SRC))
            for path in folder.glob("*.jpg"):
                edit(path)
        command = [sys.executable, "-m", "dflcolab", *words, "-w", str(root), "--side", "src"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
            time.sleep(chance.uniform(0.3, 1.2))
            run.send_signal(signal.SIGKILL)
        if words[0] == "metadata" and not (folder / "meta.dat").exists():
            assert "was completed" in cli.refusal(*words, "-w", root, "--side", "src")
        else:
            cli.report(*words, "-w", root, "--side", "src")
        after = load_faceset(folder)
        assert sorted(str(record.source_filename) for record in after.records) == sources
        for path in folder.glob("*.jpg"):
            strict_file(path)
        if words[0] == "resize":
            assert {face.width for face in after.faces} == {120}
            assert contents(folder.with_name("aligned_before_resize")) == pictures
