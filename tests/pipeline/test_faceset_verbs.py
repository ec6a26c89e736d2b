"""`sort`, `clean`, `mask`, `pack` and `unpack` on real faces, as a user runs them."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.errors import ConfigError, FacesetError, WorkspaceError
from dflcolab.faces.face_record import Polygon
from dflcolab.faceset.config import (
    CleanConfig,
    PackConfig,
    SortConfig,
    SortKind,
    UnpackConfig,
)
from dflcolab.faceset.faceset import load_faceset
from dflcolab.files import sha256_of
from dflcolab.formats.dfl_jpeg import encode_xseg_mask, read_face, read_record, replace_record
from dflcolab.formats.faceset_pak import PakItem, write_pak
from dflcolab.pipeline.clean import clean
from dflcolab.pipeline.mask import masks as mask
from dflcolab.pipeline.pack import pack, unpack
from dflcolab.pipeline.sort import sort
from dflcolab.workspace.trash import Removal, Trash
from dflcolab.workspace.workspace import Side, Workspace
from dflcolab.xseg.config import MaskConfig


@pytest.fixture
def workspace(face_workspace: Path) -> Workspace:
    return Workspace.open(face_workspace)


def faces_of(workspace: Workspace, side: Side = Side.SRC) -> list[Path]:
    return sorted(workspace.aligned_dir(side).glob("*.jpg"))


def hashes(workspace: Workspace, side: Side = Side.SRC) -> list[str]:
    return sorted(sha256_of(path) for path in faces_of(workspace, side))


def mix_in_a_stranger(workspace: Workspace, n: int = 3) -> list[str]:
    """Some faces of the dst man among the src woman's; hashes of the strangers."""
    strangers = faces_of(workspace, Side.DST)[:n]
    for path in strangers:
        shutil.copy(path, workspace.aligned_dir(Side.SRC) / f"x{path.name}")
    return sorted(sha256_of(path) for path in strangers)


@pytest.mark.parametrize("kind", list(SortKind))
def test_every_kind_keeps_every_face(workspace: Workspace, kind: SortKind):
    before = hashes(workspace)

    report = sort(workspace, SortConfig(side=Side.SRC, by=kind))

    assert hashes(workspace) == before
    assert report.faces == len(before)
    assert report.trashed == {}


def test_recovering_names_undoes_a_sort(workspace: Workspace):
    before = [(path.name, sha256_of(path)) for path in faces_of(workspace)]
    sort(workspace, SortConfig(side=Side.SRC, by=SortKind.HUE))
    sort(workspace, SortConfig(side=Side.SRC, by=SortKind.RECOVER_NAMES))

    assert [(path.name, sha256_of(path)) for path in faces_of(workspace)] == before


def test_final_does_not_ask_for_a_larger_target_where_only_a_file_without_face_data_went(
    workspace: Workspace,
):
    stray = workspace.aligned_dir(Side.SRC) / "zz.jpg"
    cv2.imwrite(str(stray), np.full((64, 64, 3), 128, np.uint8))

    report = sort(workspace, SortConfig(side=Side.SRC, by=SortKind.FINAL, target=2000))

    assert report.trashed == {"no face data": 1}
    assert report.note == ""


def test_options_of_another_kind_of_sort_are_refused(workspace: Workspace):
    before = faces_of(workspace)
    with pytest.raises(ConfigError, match="--reference belongs to --by identity"):
        sort(workspace, SortConfig(side=Side.SRC, by=SortKind.BLUR, reference=(before[0],)))
    with pytest.raises(ConfigError, match="--dissimilar belongs to --by absdiff"):
        sort(workspace, SortConfig(side=Side.SRC, by=SortKind.HIST, dissimilar=True))

    assert faces_of(workspace) == before


def test_sorting_by_identity_puts_the_stranger_last(workspace: Workspace):
    strangers = mix_in_a_stranger(workspace)

    report = sort(workspace, SortConfig(side=Side.SRC, by=SortKind.IDENTITY))

    assert sorted(sha256_of(path) for path in faces_of(workspace)[-3:]) == strangers
    assert isinstance(report.last_score, float)
    assert report.last_score < 0.3


def test_final_says_why_it_keeps_few_faces(workspace: Workspace):
    n_faces = len(faces_of(workspace))

    report = sort(workspace, SortConfig(side=Side.SRC, by=SortKind.FINAL, target=100))

    # She looks ahead in most of the clip: most of the 128 turns are empty.
    assert report.faces < 75
    assert report.faces + sum(report.trashed.values()) == n_faces
    assert "fewer than the 100 asked for" in report.summary()


@pytest.mark.parametrize("identity", ["auto", "picture"])
def test_clean_finds_the_stranger_and_undo_brings_him_back(
    workspace: Workspace, identity: str, tmp_path: Path
):
    before = hashes(workspace)
    if identity == "picture":
        picture = tmp_path / "her.jpg"
        shutil.copy(faces_of(workspace)[7], picture)
        identity = str(picture)
    mix_in_a_stranger(workspace)

    report = clean(workspace, CleanConfig(side=Side.SRC, identity=identity))

    assert len(report.removed) == 3
    assert {face.check for face in report.removed} == {"identity"}
    assert hashes(workspace) == before
    again = clean(workspace, CleanConfig(side=Side.SRC, undo=True))
    assert len(again.restored) == 3
    assert len(faces_of(workspace)) == len(before) + 3


def test_the_usual_checks_keep_the_demo_faces(workspace: Workspace):
    # Both clips show one person clearly: nothing of dst may go, and of src near-copies only.
    src = clean(workspace, CleanConfig(side=Side.SRC, dry_run=True))
    dst = clean(workspace, CleanConfig(side=Side.DST, dry_run=True))

    assert dst.removed == ()
    assert {face.check for face in src.removed} <= {"duplicates", "blur"}
    assert len(src.removed) < src.faces / 5


def test_a_dry_run_moves_nothing(workspace: Workspace):
    mix_in_a_stranger(workspace)
    before = hashes(workspace)

    report = clean(workspace, CleanConfig(side=Side.SRC, dry_run=True))

    assert len(report.removed) >= 3
    assert hashes(workspace) == before
    assert not workspace.trash_dir(Side.SRC).exists()


@pytest.mark.parametrize("name", ["nowhere.jpg", "noise.png"])
def test_a_useless_reference_picture_is_one_sentence(
    workspace: Workspace, tmp_path: Path, name: str
):
    import cv2
    import numpy as np

    noise = np.random.default_rng(0).integers(0, 30, (200, 200, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "noise.png"), noise)

    with pytest.raises(ConfigError, match=name):
        clean(workspace, CleanConfig(side=Side.SRC, identity=str(tmp_path / name)))


def test_masks_are_counted_and_removed_without_touching_the_pictures(workspace: Workspace):
    import numpy as np

    paths = faces_of(workspace)
    record = read_record(paths[0])
    assert record is not None
    xseg = encode_xseg_mask(np.ones((64, 64, 1), np.float32))
    drawn = (Polygon(include=True, points=np.array([[1, 1], [9, 1], [9, 9]], np.float32)),)
    for path in paths[:3]:
        replace_record(path, record.replace(xseg_mask=xseg))
    for path in paths[2:4]:
        replace_record(path, record.replace(polygons=drawn, xseg_mask=xseg))
    before = [load_faceset(workspace.aligned_dir(Side.SRC)).decode(index) for index in range(4)]

    stats = mask(workspace, MaskConfig(action="stats", side=Side.SRC))
    assert (stats.with_xseg_mask, stats.with_polygons, stats.removed) == (4, 2, 0)
    assert stats.hull_only == len(paths) - 4

    first = mask(workspace, MaskConfig(action="remove", side=Side.SRC))
    assert (first.removed, first.with_xseg_mask, first.with_polygons) == (4, 0, 2)
    second = mask(workspace, MaskConfig(action="remove", side=Side.SRC, what="polygons"))
    assert (second.removed, second.hull_only) == (2, len(paths))
    assert second.backup is not None
    assert "9.0, 9.0" in second.backup.read_text()
    after = [load_faceset(workspace.aligned_dir(Side.SRC)).decode(index) for index in range(4)]
    assert all((one == other).all() for one, other in zip(before, after, strict=True))


def test_packing_and_unpacking_gives_the_same_files(workspace: Workspace):
    before = {path.name: sha256_of(path) for path in faces_of(workspace)}
    config = PackConfig(side=Side.SRC)

    packed = pack(workspace, config)
    assert packed.faces == len(before)
    assert [path.name for path in workspace.aligned_dir(Side.SRC).iterdir()] == ["faceset.pak"]
    assert len(load_faceset(workspace.aligned_dir(Side.SRC))) == len(before)

    unpack(workspace, config)
    assert {path.name: sha256_of(path) for path in faces_of(workspace)} == before
    assert not packed.pack.exists()


def test_a_pack_that_holds_a_name_twice_is_not_unpacked(workspace: Workspace):
    one, other = faces_of(workspace)[:2]
    folder = workspace.aligned_dir(Side.SRC)
    items = [PakItem("same.jpg", read_face(path)) for path in (one, other)]
    write_pak(folder / "faceset.pak", items)

    with pytest.raises(FacesetError, match="twice"):
        unpack(workspace, PackConfig(side=Side.SRC))
    assert (folder / "faceset.pak").exists()
    assert not (folder / "same.jpg").exists()


@pytest.mark.parametrize(
    ("name", "sentence"), [("é" * 130 + ".jpg", "append -w NEW"), ("run.html", "no name of a face")]
)
def test_a_pack_with_names_that_no_face_file_has_is_not_unpacked(
    workspace: Workspace, name: str, sentence: str
):
    folder = workspace.aligned_dir(Side.SRC)
    write_pak(folder / "faceset.pak", [PakItem(name, read_face(faces_of(workspace)[0]))])
    before = sorted(folder.iterdir())

    with pytest.raises(FacesetError, match=sentence):
        unpack(workspace, UnpackConfig(side=Side.SRC))

    assert sorted(folder.iterdir()) == before


def test_faces_that_come_back_beside_a_pack_are_not_left_unseen(workspace: Workspace):
    face = faces_of(workspace)[0]
    Trash.of(workspace, Side.SRC).move([Removal(face, "blur: soft")])
    pack(workspace, PackConfig(side=Side.SRC))

    report = clean(workspace, CleanConfig(side=Side.SRC, undo=True))

    assert report.restored == (face.name,)
    assert "`dflcolab pack --side src` adds them" in report.summary()
    assert pack(workspace, PackConfig(side=Side.SRC)).added == 1


@pytest.mark.parametrize("n_left", [0, 1, 20])
def test_a_killed_pack_is_finished(workspace: Workspace, n_left: int):
    originals = {path: path.read_bytes() for path in faces_of(workspace)}
    report = pack(workspace, PackConfig(side=Side.SRC))
    for path in list(originals)[:n_left]:  # as if the kill came before these were removed
        path.write_bytes(originals[path])

    again = pack(workspace, PackConfig(side=Side.SRC))

    assert again.faces == report.faces
    assert faces_of(workspace) == []


def test_another_face_of_a_packed_name_gets_a_free_one(workspace: Workspace):
    path = faces_of(workspace)[0]
    data = path.read_bytes()
    report = pack(workspace, PackConfig(side=Side.SRC))
    stranger = faces_of(workspace, Side.DST)[0].read_bytes()
    path.write_bytes(stranger)
    with pytest.raises(FacesetError, match="move it out"):
        unpack(workspace, UnpackConfig(side=Side.SRC))

    again = pack(workspace, PackConfig(side=Side.SRC))

    assert (again.added, again.faces) == (1, report.faces + 1)
    assert again.renamed == {path.name: f"{path.stem}~2.jpg"}
    unpack(workspace, UnpackConfig(side=Side.SRC))
    assert path.read_bytes() == data
    assert path.with_name(f"{path.stem}~2.jpg").read_bytes() == stranger


def test_a_damaged_face_stays_loose_and_is_named(workspace: Workspace):
    path = faces_of(workspace)[2]
    path.write_bytes(path.read_bytes()[:150])

    report = pack(workspace, PackConfig(side=Side.SRC))

    assert faces_of(workspace) == [path]
    assert path.name in report.problems[0]


@pytest.mark.parametrize("verb", ["sort", "clean", "mask"])
def test_packed_faces_ask_for_unpacking(workspace: Workspace, verb: str):
    pack(workspace, PackConfig(side=Side.SRC))

    with pytest.raises(FacesetError, match="dflcolab unpack"):
        if verb == "sort":
            sort(workspace, SortConfig(side=Side.SRC))
        elif verb == "clean":
            clean(workspace, CleanConfig(side=Side.SRC))
        else:
            mask(workspace, MaskConfig(action="export", side=Side.SRC))


def test_a_side_without_a_folder_says_what_to_run(workspace: Workspace):
    shutil.rmtree(workspace.frames_dir(Side.SRC))

    with pytest.raises(WorkspaceError, match="dflcolab extract"):
        sort(workspace, SortConfig(side=Side.SRC))


def test_a_face_with_a_damaged_picture_keeps_its_mask_and_stops_no_other(face_workspace: Path):
    workspace = Workspace.open(face_workspace)
    paths = sorted(workspace.aligned_dir(Side.SRC).glob("*.jpg"))
    for path in paths[:3]:
        record = read_record(path)
        assert record is not None
        mask_picture = encode_xseg_mask(np.ones((64, 64), np.float32))
        replace_record(path, record.replace(xseg_mask=mask_picture))
    damaged = paths[0].read_bytes()[:-2000]
    paths[0].write_bytes(damaged)

    report = mask(workspace, MaskConfig(action="remove", side=Side.SRC))

    assert report.removed == 2
    assert len(report.problems) == 1
    assert paths[0].name in report.problems[0]
    assert paths[0].read_bytes() == damaged
