"""`mask labels`: outlines listed, written for other programs, and taken in again unchanged."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.errors import ConfigError, FacesetError, FormatError
from dflcolab.faces.face_record import Polygon
from dflcolab.faces.guesses import guess_kind
from dflcolab.faces.polygons import polygon_mask
from dflcolab.faceset.coco_labels import coco_text, read_coco
from dflcolab.faceset.config import PackConfig
from dflcolab.faceset.labels import FaceLabel
from dflcolab.formats.dfl_jpeg import read_face, read_record
from dflcolab.formats.dfl_metadata import polygons_from
from dflcolab.pipeline.mask import MaskReport, mask
from dflcolab.pipeline.mask_labels import labels
from dflcolab.pipeline.pack import pack
from dflcolab.workspace.workspace import Side, Workspace
from dflcolab.xseg.config import MaskConfig
from dflcolab.xseg.held_out import FEWEST_LABELS, cell_of, choose_cells, split
from tests.xseg.label_files import drawn_face, face_paths, label, sample_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return sample_workspace(tmp_path / "workspace")


def config(**changes) -> MaskConfig:
    return MaskConfig(action="labels", side=Side.SRC, **changes)


def polygons_of(path: Path) -> tuple[Polygon, ...]:
    record = read_record(path)
    assert record is not None
    return record.polygons


def same(a: tuple[Polygon, ...], b: tuple[Polygon, ...]) -> bool:
    return len(a) == len(b) and all(
        p.include == q.include and np.array_equal(p.points, q.points)
        for p, q in zip(a, b, strict=True)
    )


_POINTS = st.lists(
    st.tuples(*2 * [st.floats(-50, 300, width=32, allow_nan=False)]), min_size=0, max_size=9
)


@settings(max_examples=60, deadline=None)
@given(drawn=st.lists(st.tuples(st.booleans(), _POINTS), max_size=5))
def test_outlines_come_back_from_coco_to_the_last_bit(drawn, tmp_path_factory):
    polygons = tuple(
        Polygon(include, np.array(points, np.float32).reshape(-1, 2)) for include, points in drawn
    )
    path = tmp_path_factory.mktemp("coco") / "labels.json"
    path.write_text(coco_text([FaceLabel("00001_0.jpg", 256, 256, polygons)]))

    found, problems = read_coco(path)

    assert problems == []
    assert same(found[0].polygons if found else (), polygons)


def test_labels_are_listed_with_what_they_cover(workspace: Workspace):
    first, second, *others = face_paths(workspace)
    label(first)
    label(second, Polygon(True, np.array([[0, 0], [31, 0], [31, 63], [0, 63]], np.float32)))
    before = {path: path.read_bytes() for path in face_paths(workspace)}

    report = labels(workspace, config())

    assert [line.name for line in report.labels] == [first.name, second.name]
    assert (report.labels[0].include, report.labels[0].exclude) == (1, 1)
    face = read_face(second)
    assert report.labels[1].share == pytest.approx(32 * 64 / (face.width * face.height), abs=1e-4)
    assert report.statistics.labelled == 2
    assert report.statistics.unlabelled == len(others)
    assert report.statistics.with_excluding == 1
    turned = report.statistics
    assert turned.turned_left + turned.frontal + turned.turned_right == 2
    assert {path: path.read_bytes() for path in before} == before
    assert "2 of " in report.summary()


def test_a_round_trip_through_coco_changes_nothing(workspace: Workspace, tmp_path: Path):
    paths = face_paths(workspace)[:3]
    for path in paths:
        label(path)
    before = {path: (path.read_bytes(), polygons_of(path)) for path in paths}
    file = tmp_path / "out" / "labels.json"
    written = labels(workspace, config(out=file))
    assert written.written == file
    assert {c["name"] for c in json.loads(file.read_text())["categories"]} == {"include", "exclude"}

    kept = labels(workspace, config(from_=str(file)))
    assert (kept.taken, kept.left_alone) == (0, 3)
    back = labels(workspace, config(from_=str(file), replace=True))

    assert back.taken == 3
    assert back.backup is not None
    for path, (data, polygons) in before.items():
        assert same(polygons_of(path), polygons)
        assert path.read_bytes() == data

    removed = mask(workspace, MaskConfig(action="remove", side=Side.SRC, what="polygons"))
    assert isinstance(removed, MaskReport)
    for kept_aside in (back.backup, removed.backup):
        assert labels(workspace, config(from_=str(kept_aside), replace=True)).taken == 3
        assert {path: path.read_bytes() for path in paths} == {p: d for p, (d, _) in before.items()}


def test_a_guess_that_comes_back_as_it_went_is_still_one(workspace: Workspace, tmp_path: Path):
    first, second, *_ = face_paths(workspace)
    mask(workspace, config(guess="hull", only=(first.name, second.name)))
    file = tmp_path / "labels.json"
    labels(workspace, config(out=file))
    content = json.loads(file.read_text())
    content["annotations"][-1]["segmentation"][0][0] += 1
    file.write_text(json.dumps(content))

    assert labels(workspace, config(from_=str(file))).taken == 2

    kinds = [guess_kind(read_face(path).record) for path in (first, second)]
    assert kinds == ["hull", None]


def test_a_round_trip_through_pictures_keeps_the_mask(workspace: Workspace, tmp_path: Path):
    path = face_paths(workspace)[0]
    label(path)
    face = read_face(path)
    wanted = polygon_mask(face.record.polygons, face.height, face.width)
    folder = tmp_path / "masks"
    labels(workspace, config(out=folder, format="png"))
    assert [p.name for p in folder.iterdir()] == [f"{path.stem}_mask.png"]
    (folder / "stranger.png").write_bytes((folder / f"{path.stem}_mask.png").read_bytes())

    report = labels(workspace, config(from_=str(folder), replace=True, tolerance=0))

    assert report.taken == 1
    drawn = polygons_of(path)
    np.testing.assert_array_equal(polygon_mask(drawn, face.height, face.width), wanted)


def test_pictures_of_another_size_and_range_fit(workspace: Workspace, tmp_path: Path):
    path = face_paths(workspace)[0]
    face = read_face(path)
    picture = np.zeros((2 * face.height, 2 * face.width), np.uint8)
    picture[: face.height] = 1  # some programs write 0 and 1
    folder = tmp_path / "masks"
    folder.mkdir()
    cv2.imwrite(str(folder / f"{path.stem}.png"), picture)

    labels(workspace, config(from_=str(folder)))

    drawn = polygon_mask(polygons_of(path), face.height, face.width)
    assert drawn[: face.height // 2 - 2].all()
    assert not drawn[face.height // 2 + 2 :].any()


def png(width: int, height: int) -> bytes:
    """A PNG that promises so many pixels and has a few."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")
    )


def test_pictures_of_other_programs_are_masks_or_told(workspace: Workspace, tmp_path: Path):
    """Cut out by transparency, in 16 bits, beside the face's own picture; black, absurd, no picture."""
    paths = face_paths(workspace)[:6]
    label(paths[3])
    before = paths[3].read_bytes()
    size = read_face(paths[0]).width
    noise = np.random.default_rng(0).integers(0, 255, (size, size, 4)).astype(np.uint8)
    noise[..., 3] = 0
    noise[40:80, 40:80, 3] = 255
    deep = np.zeros((size, size), np.uint16)
    deep[40:80, 40:80] = 1
    made = [noise, deep, deep.astype(np.uint8) * 200, np.zeros((size, size), np.uint8)]
    contents = [cv2.imencode(".png", picture)[1].tobytes() for picture in made]
    contents += [png(100_000, 100_000), b"no picture"]
    for path, content in zip(paths, contents, strict=True):
        (tmp_path / f"{path.stem}_mask.png").write_bytes(content)
    (tmp_path / f"{paths[2].stem}.png").write_bytes(contents[0])

    report = labels(workspace, config(from_=str(tmp_path), replace=True))

    assert report.taken == 3
    square = np.zeros((size, size))
    square[40:80, 40:80] = 1
    for path in paths[:3]:
        np.testing.assert_array_equal(polygon_mask(polygons_of(path), size, size)[..., 0], square)
    assert paths[3].read_bytes() == before
    assert polygons_of(paths[4]) == polygons_of(paths[5]) == ()
    ends = ("shows nothing, so its face keeps what it has.", "remove it or export it again.")
    assert [problem.endswith(ends) for problem in report.problems] == 3 * [True]


def test_outlines_of_other_programs_are_understood(workspace: Workspace, tmp_path: Path):
    path = face_paths(workspace)[0]
    face = read_face(path)
    file = tmp_path / "cvat.json"
    ring = [0, 0, 100, 0, 100, 100]
    content = {
        "categories": [{"id": 7, "name": "skin"}, {"id": 9, "name": "Obstruction"}],
        "images": [
            {"id": 3, "file_name": f"set\\{path.name}", "width": 2 * face.width,
             "height": 2 * face.height},
            {"id": 4, "file_name": "unknown.jpg"},
        ],
        "annotations": [
            {"image_id": 3, "category_id": 7, "segmentation": [ring, ring]},
            {"image_id": 3, "category_id": 9, "segmentation": [ring]},
            {"image_id": 3, "category_id": 7, "segmentation": {"counts": "x", "size": [1, 1]}},
            {"image_id": 4, "category_id": 7, "segmentation": [ring]},
        ],
    }  # fmt: skip
    file.write_text(json.dumps(content))

    report = labels(workspace, config(from_=str(file)))

    polygons = polygons_of(path)
    assert [p.include for p in polygons] == [True, True, False]
    np.testing.assert_array_equal(polygons[0].points, np.reshape(ring, (3, 2)) / 2)
    assert any("pixel masks" in problem for problem in report.problems)
    assert any("unknown.jpg" in problem for problem in report.problems)


RING = [0, 0, 100, 0, 100, 100]


def coco(annotations: list[dict], **images: str) -> str:
    listed = [{"id": int(key[1:]), "file_name": name} for key, name in images.items()]
    named = [{"id": 1, "name": "face"}]
    return json.dumps({"categories": named, "images": listed, "annotations": annotations})


def ring(image: object = 1, segmentation: object = None) -> dict:
    drawn = [RING] if segmentation is None else segmentation
    return {"image_id": image, "category_id": 1, "segmentation": drawn}


def test_what_other_programs_write_beside_polygons_is_told(tmp_path: Path):
    file = tmp_path / "labels.json"
    box = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
    written = [ring(), ring(segmentation=RING), box, ring(segmentation=[]), ring(image=7)]
    file.write_text(coco(written, i1="00001_0.jpg"), encoding="utf-8-sig")

    (found,), problems = read_coco(file)

    assert [polygon.points.reshape(-1).tolist() for polygon in found.polygons] == [RING, RING]
    assert [problem.split(" of ")[0] for problem in problems] == ["2 annotations", "1 annotations"]
    for text, reason in (
        (coco([ring(segmentation={"counts": [1], "size": [1, 1]})], i1="a.jpg"), "pixel masks"),
        (coco([ring(image=float("inf"))], i1="a.jpg"), "no COCO file"),
        ("[" * 200_000, "no COCO file"),
    ):
        file.write_text(text)
        with pytest.raises(FormatError, match=reason):
            read_coco(file)


@pytest.mark.parametrize(
    "points",
    [
        np.array(RING, np.int64).reshape(-1, 2),
        np.array(RING, np.float16).reshape(-1, 2),
        np.array(RING, np.int32).reshape(-1, 1, 2),  # a contour of OpenCV's
        [tuple(pair) for pair in np.reshape(RING, (-1, 2)).tolist()],
    ],
)
def test_outlines_that_other_programs_put_into_face_files_are_read(points: object):
    (outline,) = polygons_from({"polys": [{"type": np.int64(1), "pts": points}]})
    assert outline.include
    assert outline.points.dtype == np.float32
    assert outline.points.reshape(-1).tolist() == RING


def test_faces_that_cannot_take_outlines_leave_the_others_theirs(
    workspace: Workspace, tmp_path: Path
):
    good, far, cut, plain = face_paths(workspace)[:4]
    cut.write_bytes(cut.read_bytes()[:3000])
    cv2.imwrite(str(plain), np.zeros((64, 64, 3), np.uint8))
    before = far.read_bytes()
    away = ring(2, [[0, 0, 3e7, 0, 100, 100]])
    file = tmp_path / "labels.json"
    file.write_text(coco(
        [ring(1), away, ring(3), ring(4), ring(5, [RING, RING])],
        i1=f"a/{good.name}", i2=far.name, i3=cut.name, i4=plain.name, i5=f"b/{good.name}",
    ))  # fmt: skip

    report = labels(workspace, config(from_=str(file)))

    assert report.taken == 1
    assert len(polygons_of(good)) == 1
    assert far.read_bytes() == before
    for path, reason in ((far, "out of all reason"), (cut, "truncated"), (plain, "ordinary picture"),
                         (good, "more than once")):  # fmt: skip
        (told,) = [text for text in report.problems if path.name in text]
        assert reason in told


def test_labels_of_a_pack_are_listed(workspace: Workspace):
    path = face_paths(workspace)[0]
    label(path)
    pack(workspace, PackConfig(side=Side.SRC))
    report = labels(workspace, config())
    assert [line.name for line in report.labels] == [path.name]
    with pytest.raises(FacesetError, match="unpack"):
        labels(workspace, config(from_=str(path.parent)))


def test_refusals_name_the_way_out(workspace: Workspace, tmp_path: Path):
    file = tmp_path / "other.json"
    with pytest.raises(ConfigError, match="--side"):
        MaskConfig(action="labels")
    with pytest.raises(ConfigError, match="does not exist"):
        labels(workspace, config(from_=str(file)))
    for text in ("{", "{}", '{"categories": [], "images": [], "annotations": [{"segmentation": 1}]}',
                 '{"categories": 1, "images": 2, "annotations": 3}'):  # fmt: skip
        file.write_text(text)
        with pytest.raises((FormatError, FacesetError)):
            labels(workspace, config(from_=str(file)))
    file.write_text(
        coco_text([FaceLabel("nobody.jpg", 9, 9, drawn_face(face_paths(workspace)[0]))])
    )
    with pytest.raises(FacesetError, match="names of its pictures"):
        labels(workspace, config(from_=str(file)))
    with pytest.raises(ConfigError, match="one of them"):
        labels(workspace, config(from_=str(file), out=tmp_path / "x.json"))
    with pytest.raises(ConfigError, match="--out"):
        label(face_paths(workspace)[0])
        labels(workspace, config(out=workspace.aligned_dir(Side.SRC), format="png"))


# --- held-out labels ------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    numbers=st.lists(st.integers(0, 3000), min_size=1, max_size=150),
    share=st.floats(0, 0.5),
    seed=st.integers(0, 99),
)
def test_neighbouring_frames_stay_together(numbers: list[int], share: float, seed: int):
    cells = [cell_of(f"/{number:05d}.png") for number in numbers]
    chosen = choose_cells(cells, share, seed=seed)
    training, held_out = split(cells, chosen)
    assert sorted([*training, *held_out]) == list(range(len(cells)))
    assert len(held_out) <= len(cells) / 2
    assert not {cells[i] for i in training} & {cells[i] for i in held_out}
    if len(cells) < FEWEST_LABELS:
        assert not held_out
    assert choose_cells(cells, share, seed=seed) == chosen
    seen = set(cells[::3])
    assert not choose_cells(cells, share, seed=seed, learned=seen) & seen


def test_photographs_without_numbers_are_cells_of_their_own():
    assert cell_of("/anna.jpg") != cell_of("/berta.jpg")
    assert cell_of("/00012.png") == cell_of("/00049.png") != cell_of("/00050.png")


# --- the command line -----------------------------------------------------------------------------


def test_the_command_line_reports_and_refuses_in_one_sentence(
    workspace: Workspace, tmp_path: Path, cli
):
    label(face_paths(workspace)[0])
    place = ("-w", workspace.root)
    file = tmp_path / "labels.json"
    told = cli.report("mask", "labels", *place, "--side", "src", "--out", file)
    assert told["statistics"]["labelled"] == len(told["labels"]) == 1
    again = cli.report("mask", "labels", *place, "--side", "src", "--from", file, "--replace")
    assert again["taken"] == 1
    assert "--side" in cli.refusal("mask", "stats", *place)
    assert "mask train" in cli.refusal("mask", "apply", *place, "--side", "src")
