"""Workspaces of DeepFaceLab's users come in: from folders, archives and links, good and bad."""

from __future__ import annotations

import errno
import os
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dflcolab.errors import (
    DownloadError,
    FormatError,
    Interrupted,
    StorageError,
    UnsafeFileError,
    WorkspaceError,
)
from dflcolab.files import sha256_of
from dflcolab.formats.dfl_jpeg import read_record
from dflcolab.pipeline.bring_in import bring_in, brought_before
from dflcolab.pipeline.fetch import faceset_path
from dflcolab.pipeline.init import init
from dflcolab.pipeline.model import model
from dflcolab.progress import Progress
from dflcolab.training.config import ModelConfig
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.settings import RightsBasis
from dflcolab.workspace.workspace import Workspace
from tests.formats.face_files import REAL_FACE, VECTORS
from tests.stopping import StopAfter
from tests.transfer.hostile import Item, zip_of
from tests.transfer.server import Script, Server

MODEL = VECTORS.parent / "models" / "tiny_models" / "SAEHD_liae-ud_rmsprop"


@pytest.fixture
def dfl(tmp_path: Path, clips) -> Path:
    """What DeepFaceLab leaves: a video, loose faces with masks, a pack, a model, merged frames."""
    root = tmp_path / "drive" / "workspace"
    faces = root / "data_src" / "aligned"
    faces.mkdir(parents=True)
    shutil.copy(clips["dst"], root / "data_dst.mp4")
    for number in range(4):
        shutil.copy(REAL_FACE, faces / f"{number:05}_0.jpg")
    (root / "data_dst" / "aligned").mkdir(parents=True)
    shutil.copy(VECTORS / "pak" / "faceset.pak", root / "data_dst" / "aligned" / "faceset.pak")
    (root / "data_dst" / "merged").mkdir()
    shutil.copy(VECTORS / "dfljpg" / "wf256_all_keys_xseg.png", root / "data_dst/merged/00001.png")
    shutil.copytree(MODEL, root / "model")
    (root / "result.mp4").write_bytes((root / "data_dst.mp4").read_bytes())
    return root


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): sha256_of(path)
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def zipped(folder: Path, path: Path, top: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in contents(folder):
            archive.write(folder / name, top + name)
    return path


def came_in_whole(root: Path, dfl: Path) -> None:
    found, wanted = contents(root), contents(dfl)
    assert {name: found.get(name) for name in wanted} == wanted
    assert set(found) - set(wanted) == {"workspace.toml", "history/brought_in.json"}
    record = read_record(root / "data_src" / "aligned" / "00000_0.jpg")
    assert record is not None
    assert record.xseg_mask is not None
    assert record.polygons


@pytest.mark.parametrize("kind", ["folder", "above", "zip", "flat zip", "tar.gz"])
def test_everything_comes_in_and_the_source_stays(tmp_path: Path, dfl: Path, kind: str):
    source = dfl
    if kind == "above":
        source = dfl.parent
    elif kind == "tar.gz":
        source = tmp_path / "workspace.tar.gz"
        with tarfile.open(source, "w:gz") as archive:
            archive.add(dfl, arcname="DeepFaceLab/workspace")
    elif kind != "folder":
        top = "" if kind == "flat zip" else "workspace/"
        source = zipped(dfl, tmp_path / "workspace.zip", top)
    before = contents(tmp_path / "drive")
    root = tmp_path / "w"

    report = init(root, InitConfig(from_=str(source)))

    came_in_whole(root, dfl)
    assert contents(tmp_path / "drive") == before
    assert not [path for path in root.iterdir() if path.name == ".bringing-in"]
    assert report.problems == ()
    assert report.rights == {"src": None, "dst": None}
    said = report.summary()
    assert "data_src: 4 single face files" in said
    assert "faces in faceset.pak" in said
    assert "--model tiny_SAEHD" in said
    assert "Not yet recorded" in said


def test_the_model_that_came_in_can_be_imported(tmp_path: Path, dfl: Path):
    init(tmp_path / "w", InitConfig(from_=str(dfl)))

    report = model(Workspace.open(tmp_path / "w"), ModelConfig(action="import", model="tiny_SAEHD"))

    assert report.iteration > 0


def test_a_second_call_adds_what_is_new_and_overwrites_nothing(tmp_path: Path, dfl: Path):
    root = tmp_path / "w"
    config = InitConfig(from_=str(dfl), src_rights=RightsBasis.CONSENT)
    init(root, config)
    os.utime(dfl / "result.mp4", (1, 1))  # another time, the same content
    shutil.copy(REAL_FACE, dfl / "data_src/aligned/00009_0.jpg")
    mine = root / "data_dst" / "merged" / "00001.png"
    mine.write_bytes(b"merged again")

    report = init(root, InitConfig(from_=str(dfl)))

    assert report.added == ("data_src/aligned/00009_0.jpg",)
    assert "result.mp4" in report.already_there
    assert mine.read_bytes() == b"merged again"
    assert any("data_dst/merged/00001.png" in problem for problem in report.problems)
    assert report.rights["src"] == "consent"


def test_a_stopped_copy_goes_on(tmp_path: Path, dfl: Path):
    root = tmp_path / "w"
    (dfl / "big.mp4").write_bytes(bytes(1))  # no part of a workspace
    (dfl / "model" / "large.npy").write_bytes(os.urandom(12 << 20))
    with pytest.raises(Interrupted):
        init(root, InitConfig(from_=str(dfl)), progress=StopAfter(1, title="Copying"))
    assert not list(root.rglob("*.tmp*"))

    report = init(root, InitConfig(from_=str(dfl)))

    assert report.already_there
    (dfl / "big.mp4").unlink()
    came_in_whole(root, dfl)


def test_a_stopped_unpacking_leaves_the_workspace_empty_and_can_be_repeated(tmp_path, dfl):
    (dfl / "model" / "large.npy").write_bytes(os.urandom(8 << 20))
    source = str(zipped(dfl, tmp_path / "workspace.zip"))
    root = tmp_path / "w"
    with pytest.raises(Interrupted):
        init(root, InitConfig(from_=source), progress=StopAfter(2, title="Unpacking"))
    assert set(contents(root)) == {"workspace.toml"}

    init(root, InitConfig(from_=source))
    came_in_whole(root, dfl)


def test_a_kill_between_two_files_is_made_good(tmp_path, dfl, monkeypatch):
    """As if killed while moving the unpacked files: nothing cleans up."""
    source = str(zipped(dfl, tmp_path / "workspace.zip", "workspace/"))
    root = tmp_path / "w"
    init(root, InitConfig())
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        patch.setattr("dflcolab.pipeline.bring_in.move_file", _fails_at(3))
        with pytest.raises(KeyboardInterrupt):
            init(root, InitConfig(from_=source))
    assert (root / ".bringing-in").is_dir()

    init(root, InitConfig(from_=source))
    came_in_whole(root, dfl)


def _fails_at(n: int):
    calls = iter(range(n))

    def move(source: Path, target: Path) -> None:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        source.rename(target)

    return move


@pytest.mark.bad_day("bring-in-drive-gone")
def test_a_drive_that_hesitates_is_asked_again_and_one_that_is_gone_is_named(
    tmp_path, dfl, monkeypatch
):
    real, calls = shutil.copystat, []

    def hesitant(source, target, **more):
        calls.append(source)
        if len(calls) == 1 or (dfl / "gone").exists():
            raise OSError(errno.EIO, "Input/output error")
        real(source, target, **more)

    monkeypatch.setattr(shutil, "copystat", hesitant)
    monkeypatch.setattr("time.sleep", lambda _: None)
    init(tmp_path / "w", InitConfig(from_=str(dfl)))
    came_in_whole(tmp_path / "w", dfl)

    (dfl / "gone").mkdir()
    with pytest.raises(StorageError, match="its drive does not answer"):
        init(tmp_path / "w2", InitConfig(from_=str(dfl)))


def test_many_single_files_get_one_word_about_packing(tmp_path, monkeypatch):
    faces = tmp_path / "drive" / "data_src" / "aligned"
    faces.mkdir(parents=True)
    for number in range(12):
        (faces / f"{number}.jpg").write_bytes(REAL_FACE.read_bytes())
    monkeypatch.setattr("dflcolab.pipeline.bring_in._MANY_FILES", 10)
    progress = StopAfter()

    init(tmp_path / "w", InitConfig(from_=str(tmp_path / "drive")), progress=progress)

    assert [text for text in progress.messages if "faceset.pak" in text and "12" in text]
    assert len(progress.messages) == 1


def test_a_workspace_of_ours_brings_its_face_type_and_no_rights(tmp_path, dfl):
    init(dfl, InitConfig(face_type="head", src_rights="consent"))

    report = init(tmp_path / "w", InitConfig(from_=str(dfl)))

    settings = Workspace.open(tmp_path / "w").settings
    assert (settings.face_type.value, report.rights["src"]) == ("head", None)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda folder: folder / "nowhere", WorkspaceError, "There is no"),
        (lambda _: "", WorkspaceError, "--from names nothing"),
        (lambda folder: folder, WorkspaceError, "no DeepFaceLab workspace"),
        (lambda folder: _file(folder, b"just text"), FormatError, "is a text and not a zip"),
        (lambda folder: _file(folder, b"<html>Sign in</html>"), FormatError, "is a web page"),
        (lambda folder: _file(folder, zip_of(Item("holiday.txt"))), WorkspaceError, "no DeepFaceLab"),
        (lambda folder: _file(folder, zip_of(Item("data_src/a.png"), Item("../b"))),
         UnsafeFileError, "leads out"),
        (lambda folder: _file(folder, zip_of(Item("one/model/a"), Item("two/model/a"))),
         WorkspaceError, "several workspaces"),
        (lambda folder: _file(folder, zip_of(Item("data_src/a.png", bytes(9999)))[:150]),
         FormatError, "damaged or cut off"),
    ],
)  # fmt: skip
def test_bad_sources_are_one_sentence_and_leave_nothing(tmp_path, make, error, words):
    (tmp_path / "source").mkdir()
    root = tmp_path / "w"

    with pytest.raises(error, match=words) as caught:
        init(root, InitConfig(from_=str(make(tmp_path / "source"))))
    assert "\n" not in str(caught.value)
    assert set(contents(root)) <= {"workspace.toml"}


def _file(folder: Path, data: bytes) -> Path:
    path = folder / "workspace.zip"
    path.write_bytes(data)
    return path


def test_damaged_material_comes_in_with_a_word(tmp_path, dfl):
    (dfl / "data_dst/aligned/faceset.pak").write_bytes(b"\x80\x04 no pack")
    (dfl / "data_src/aligned/00001_0.jpg").write_bytes(b"\xff\xd8 no face")
    (dfl / "model/tiny_SAEHD_data.dat").unlink()
    (dfl / "data_dst.avi").write_bytes(b"second video")
    (dfl / "data_src/elsewhere").symlink_to("/etc")
    (dfl / "notes.txt").write_text("mine")

    report = init(tmp_path / "w", InitConfig(from_=str(dfl)))

    said = "\n".join(report.problems)
    for words in ("faceset.pak", "1 of 4 pictures", "weights without", "data_dst.avi", "elsewhere",
                  "notes.txt"):  # fmt: skip
        assert words in said
    assert not (tmp_path / "w" / "data_src" / "elsewhere").exists()


@pytest.mark.bad_day("bring-in-itself")
def test_a_workspace_does_not_come_into_itself(tmp_path, dfl):
    with pytest.raises(WorkspaceError, match="lie in each other"):
        init(dfl, InitConfig(from_=str(dfl)))


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(Script())
    yield server
    server.close()


def test_a_link_is_fetched_once_and_brought_in(tmp_path, dfl, server):
    source = zipped(dfl, tmp_path / "workspace.zip", "workspace/")
    server.script.content = source.read_bytes()
    init(tmp_path / "w", InitConfig())
    workspace = Workspace.open(tmp_path / "w")
    link = server.url("workspace.zip?key=secret") + f"#sha256={sha256_of(source)}"

    for _ in range(2):
        bring_in(workspace, link, progress=Progress(), cache=tmp_path / "cache")

    came_in_whole(tmp_path / "w", dfl)
    assert len(server.script.seen) == 1
    assert brought_before(workspace, link)
    assert "secret" not in (workspace.history_dir / "brought_in.json").read_text()
    with pytest.raises(DownloadError, match="is a picture and not a zip"):
        server.script.content = REAL_FACE.read_bytes()
        bring_in(workspace, server.url("x"), progress=Progress(), cache=tmp_path / "cache")


def test_facesets_by_their_address(tmp_path, dfl, server):
    cache = tmp_path / "cache"
    pack = dfl / "data_dst" / "aligned" / "faceset.pak"
    server.script.content = pack.read_bytes()
    found = faceset_path(server.url("many-people"), Progress(), cache)
    assert (found.suffix, sha256_of(found)) == (".pak", sha256_of(pack))

    server.script.content = zipped(dfl / "data_src", tmp_path / "f.zip").read_bytes()
    folders = [faceset_path(server.url("f.zip"), Progress(), cache) for _ in range(2)]
    assert folders[0] == folders[1]
    assert len(list(folders[0].glob("*.jpg"))) == 4

    assert faceset_path("here/aligned", Progress(), cache) == Path("here/aligned")
