"""Faces on a bad day: missing, packed, damaged, in use."""

from __future__ import annotations

import errno
import pickle
import shutil
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dflcolab.errors import DFLColabError
from dflcolab.extraction.config import AppendConfig, ExtractConfig
from dflcolab.extraction.journal import read_options
from dflcolab.faceset.config import UnpackConfig
from dflcolab.faceset.face_files import FaceFile, loose_faces, read_face_file, read_face_head
from dflcolab.faceset.face_source import open_faces
from dflcolab.faceset.faceset import load_faceset, load_many
from dflcolab.faceset.folder_lock import alone_in, using
from dflcolab.faceset.folder_swap import finish_swap
from dflcolab.faceset.renaming import JOURNAL_NAME, recover, rename_all
from dflcolab.formats.dfl_jpeg import decode_picture, read_face, read_record
from dflcolab.formats.faceset_pak import PakReader
from dflcolab.formats.jpeg_segments import with_app15
from dflcolab.pipeline.append import append
from dflcolab.pipeline.extract import extract
from dflcolab.pipeline.extract_steps import faces_stay
from dflcolab.pipeline.init import init
from dflcolab.pipeline.pack import unpack
from dflcolab.progress import Progress
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.workspace import Side, Workspace
from tests.formats.face_files import VECTORS, face_file, jpeg
from tests.media.clips import make_video
from tests.runtime.runtimes import TERMINAL
from tests.troubleshooting.said import HeardProgress, said

bad_day = pytest.mark.bad_day

PAK = VECTORS / "pak" / "faceset.pak"


def refused(step: Callable[[], object]) -> None:
    with pytest.raises(DFLColabError):
        step()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    init(tmp_path / "w", InitConfig(), where=TERMINAL.where)
    return Workspace.open(tmp_path / "w")


@pytest.fixture
def aligned(workspace: Workspace) -> Path:
    """The folder of the src faces."""
    folder = workspace.aligned_dir(Side.SRC)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def extracted(workspace: Workspace, **options: Any) -> Callable[[], object]:
    config = ExtractConfig(side=Side.SRC, debug=False, **options)
    return lambda: extract(workspace, config, progress=Progress())


# ---- extraction --------------------------------------------------------------------------------


@bad_day("nothing-to-extract")
def test_a_side_without_footage(workspace: Workspace):
    refused(extracted(workspace))


@bad_day("no-pictures")
def test_frames_are_asked_for_and_there_are_none(workspace: Workspace):
    refused(extracted(workspace, frames=True))


@bad_day("no-face-found")
def test_footage_without_a_face(workspace: Workspace):
    make_video(workspace.root / "data_src.mp4", n_frames=3)
    refused(extracted(workspace))


@bad_day("extraction-stopped")
def test_extraction_is_stopped(workspace: Workspace, clips: dict[str, Path]):
    shutil.copy(clips["dst"], workspace.root / "data_src.mp4")
    progress = Progress()
    progress.request_stop()
    config = ExtractConfig(side=Side.SRC, debug=False)
    refused(lambda: extract(workspace, config, progress=progress))


@bad_day("journal-first-line")
def test_the_list_of_finished_frames_is_damaged(tmp_path: Path):
    (tmp_path / "extract.jsonl").write_text('{"version": 1}\n')
    refused(lambda: read_options(tmp_path / "extract.jsonl"))


@bad_day("extract-other-video")
def test_the_video_was_exchanged(workspace: Workspace, clips: dict[str, Path]):
    video = workspace.root / "data_src.mp4"
    shutil.copy(clips["dst"], video)
    extracted(workspace, fps=0.5)()
    make_video(video, n_frames=3)
    refused(extracted(workspace, fps=0.5))


@bad_day("extract-other-type")
def test_faces_of_another_kind_are_there(workspace: Workspace, aligned: Path):
    face_file(aligned, "00001_0.jpg")
    make_video(workspace.root / "data_src.mp4", n_frames=3)
    refused(extracted(workspace, face_type="head"))


@bad_day("faces-packed-extract")
def test_faces_are_packed_and_more_are_extracted(workspace: Workspace, aligned: Path):
    shutil.copy(PAK, aligned)
    make_video(workspace.root / "data_src.mp4", n_frames=3)
    refused(extracted(workspace))


# ---- a faceset ---------------------------------------------------------------------------------


@bad_day("faces-of-people-extract")
def test_faces_of_people_and_more_are_extracted(workspace: Workspace, aligned: Path):
    (aligned / "anna").mkdir()
    face_file(aligned / "anna", "00001_0.jpg")
    assert faces_stay(workspace, Side.SRC)
    refused(extracted(workspace))
    append_config = AppendConfig(side=Side.SRC, from_=(aligned / "anna",))
    refused(lambda: append(workspace, append_config))


@bad_day("faces-packed")
def test_single_files_are_wanted_and_faces_are_packed(workspace: Workspace, aligned: Path):
    shutil.copy(PAK, aligned)
    refused(lambda: loose_faces(workspace, Side.SRC))


@bad_day("faces-none", "faces-missing")
def test_a_side_without_faces(workspace: Workspace, aligned: Path):
    refused(lambda: loose_faces(workspace, Side.SRC))
    aligned.rmdir()
    refused(lambda: loose_faces(workspace, Side.SRC))


@bad_day("no-faces-for-training")
def test_a_faceset_without_faces(aligned: Path):
    refused(lambda: load_faceset(aligned))


@bad_day("faces-none-usable")
def test_a_faceset_of_ordinary_pictures(aligned: Path):
    (aligned / "holiday.jpg").write_bytes(jpeg())
    refused(lambda: load_faceset(aligned))


@bad_day("face-empty-file")
def test_a_face_of_no_bytes(tmp_path: Path):
    refused(FaceFile(tmp_path / "a.jpg", b"", None).decode)


@bad_day("face-not-allowed")
def test_a_face_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def deny(path: Path, *_: object, **__: object) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    face = face_file(tmp_path, "a.jpg")
    for name in ("read_bytes", "open"):
        monkeypatch.setattr(Path, name, deny)
    refused(lambda: read_face_file(face))
    refused(lambda: read_face_head(face))


@bad_day("face-plain-picture")
def test_an_ordinary_picture(tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(jpeg())
    refused(lambda: read_face(tmp_path / "a.jpg"))


@bad_day("face-picture-damaged")
def test_a_face_without_a_picture():
    refused(lambda: decode_picture(b"\xff\xd8 nothing", "a.jpg"))


@bad_day("face-not-jpeg")
def test_a_face_that_is_no_jpeg(tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(b"just text")
    refused(lambda: read_record(tmp_path / "a.jpg"))


@bad_day("face-cut")
def test_a_face_that_was_cut(tmp_path: Path):
    path = face_file(tmp_path, "a.jpg")
    path.write_bytes(path.read_bytes()[:100])
    refused(lambda: read_record(path))


@bad_day("face-part")
def test_a_face_whose_picture_ends_too_early(tmp_path: Path):
    path = face_file(tmp_path, "a.jpg")
    path.write_bytes(path.read_bytes()[:-400] + b"\xff\xd9")
    refused(lambda: read_face_file(path).decode())


def open_pak(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    refused(lambda: PakReader(path))


@bad_day("pak-not-opened", "pak-not-one", "pak-cut")
def test_a_pack_that_is_none(tmp_path: Path):
    refused(lambda: PakReader(tmp_path / "faceset.pak"))
    open_pak(tmp_path / "faceset.pak", b"just text that is long enough")
    open_pak(tmp_path / "faceset.pak", PAK.read_bytes()[:100])


def pak_of(configs: object) -> bytes:
    head = pickle.dumps(configs, protocol=4)
    return struct.pack("<QQ", 1, len(head)) + head + bytes(16)


@bad_day("pak-damaged", "pak-unsafe-name", "pickle-unsafe")
def test_a_pack_that_asks_for_more_than_faces(tmp_path: Path):
    open_pak(tmp_path / "faceset.pak", pak_of("no list"))
    open_pak(tmp_path / "faceset.pak", pak_of([{"filename": "../evil.jpg"}]))
    open_pak(tmp_path / "faceset.pak", pak_of(print))


@bad_day("unpack-cut")
def test_a_pack_that_lost_its_end(workspace: Workspace, aligned: Path):
    (aligned / "faceset.pak").write_bytes(PAK.read_bytes()[:-100])
    refused(lambda: unpack(workspace, UnpackConfig(side=Side.SRC), progress=Progress()))


# ---- interrupted and in use --------------------------------------------------------------------


@bad_day("swap-note-damaged")
def test_the_note_of_an_exchange_is_damaged(aligned: Path):
    aligned.with_name(".aligned.swap.json").write_text("{")
    refused(lambda: finish_swap(aligned))


@bad_day("rename-note-damaged", "sorting-twice")
def test_the_note_of_a_sort_is_damaged(aligned: Path):
    face_file(aligned, "a.jpg")
    (aligned / JOURNAL_NAME).write_text("{")
    refused(lambda: rename_all(aligned, {"a.jpg": "b.jpg"}))
    refused(lambda: recover(aligned))


@bad_day("faces-in-use")
def test_another_program_uses_the_faces(aligned: Path):
    progress = HeardProgress()

    def wait() -> None:
        with using(aligned, progress=progress):
            pass

    waiting = threading.Thread(target=wait)
    with alone_in(aligned):
        waiting.start()
        time.sleep(0.3)
    waiting.join(20)
    assert not waiting.is_alive()


# ---- rarer -------------------------------------------------------------------------------------


@bad_day("faces-folder-missing", "no-faceset")
def test_a_faceset_that_is_not_there(tmp_path: Path):
    refused(lambda: load_faceset(tmp_path / "nowhere"))
    refused(lambda: load_many([]))


@bad_day("faces-of-people")
def test_faces_in_peoples_folders(workspace: Workspace, aligned: Path):
    (aligned / "anna").mkdir()
    face_file(aligned / "anna", "00001_0.jpg")
    refused(lambda: loose_faces(workspace, Side.SRC))


@bad_day("pak-empty")
def test_an_empty_pack(aligned: Path):
    (aligned / "faceset.pak").write_bytes(pak_of([]))

    def look() -> None:
        with open_faces(aligned):
            pass

    refused(look)


@bad_day("face-metadata-none", "pickle-cut")
def test_metadata_that_is_none(tmp_path: Path):
    for number, payload in enumerate((pickle.dumps(3, protocol=4), b"\x80\x04")):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(with_app15(jpeg(), payload, path.name))
        refused(lambda path=path: read_record(path))


@bad_day("pak-gone", "pak-face-cut")
def test_a_pack_that_goes_away_or_was_cut(tmp_path: Path):
    (tmp_path / "faceset.pak").write_bytes(PAK.read_bytes()[:-100])
    with PakReader(tmp_path / "faceset.pak") as reader:
        refused(lambda: reader.read(len(reader) - 1))
    refused(lambda: reader.jpeg(0))


@bad_day("note-outside", "swap-in-the-way")
def test_notes_of_somebody_else(aligned: Path):
    note = aligned.with_name(".aligned.swap.json")
    note.write_text('{"staged": "../evil", "kept": "k", "carry": []}')
    refused(lambda: finish_swap(aligned))
    note.write_text('{"staged": "new", "kept": "kept", "carry": []}')
    for folder in (aligned, aligned.with_name("new"), aligned.with_name("kept")):
        folder.mkdir(exist_ok=True)
        face_file(folder, "a.jpg")
    refused(lambda: finish_swap(aligned))


@bad_day("rename-no-name", "rename-same")
def test_names_that_faces_cannot_get(aligned: Path):
    for name in ("a.jpg", "b.jpg"):
        face_file(aligned, name)
    refused(lambda: rename_all(aligned, {"a.jpg": "x/y.jpg"}))
    refused(lambda: rename_all(aligned, {"a.jpg": "b.jpg"}))


@bad_day("faces-beside-pack", "faces-beside-people")
def test_faces_that_are_not_used(aligned: Path):
    face_file(aligned, "00001_0.jpg")
    (aligned / "anna").mkdir()
    face_file(aligned / "anna", "00002_0.jpg")
    for problem in load_faceset(aligned).problems:
        said(problem)
    shutil.copy(PAK, aligned)
    with open_faces(aligned) as source:
        for problem in source.unused:
            said(problem)


@bad_day("pictures-beside-faces")
def test_pictures_that_are_not_used(aligned: Path):
    face_file(aligned, "00001_0.jpg")
    (aligned / "a.tif").write_bytes(b"II*")
    with open_faces(aligned) as source:
        for problem in source.unused:
            said(problem)


@bad_day("face-metadata-large")
def test_an_outline_of_too_many_points(tmp_path: Path):
    refused(lambda: with_app15(jpeg(), bytes(1 << 17), "a.jpg"))
