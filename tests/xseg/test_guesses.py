"""`mask labels --guess`, `mask next` and `mask apply --part`: outlines and masks that nobody draws."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dflcolab.errors import ConfigError, FacesetError
from dflcolab.faces.face_record import Polygon
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.guesses import guess_kind, learned_from, with_guess, without_guess_mark
from dflcolab.faceset.config import PackConfig, UnpackConfig
from dflcolab.faceset.convert import convert_face
from dflcolab.faceset.faceset import load_faceset
from dflcolab.formats.dfl_jpeg import face_from_bytes, read_face, read_record, replace_record
from dflcolab.formats.xseg_masks import encode_xseg_mask
from dflcolab.pipeline.mask import mask
from dflcolab.pipeline.mask_apply import MaskApplyReport
from dflcolab.pipeline.mask_guess import GuessReport
from dflcolab.pipeline.mask_labels import LabelsReport
from dflcolab.pipeline.mask_next import NextReport
from dflcolab.pipeline.pack import pack, unpack
from dflcolab.workspace.workspace import Side, Workspace
from dflcolab.xseg.config import MaskConfig
from dflcolab.xseg.dataset import drawn_mask, labelled
from tests.faceset.drawn_faces import FOLDER, drawn_face, plane
from tests.formats.strict_reader import strict_file
from tests.xseg.label_files import face_paths, label, sample_workspace
from tests.xseg.test_apply import make_model


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return sample_workspace(tmp_path / "workspace")


def config(action: str = "labels", **changes) -> MaskConfig:
    return MaskConfig(action=action, side=Side.SRC, **changes)  # pyright: ignore[reportArgumentType]


def guess(workspace: Workspace, kind: str, **changes) -> GuessReport:
    report = mask(workspace, config(guess=kind, **changes))
    assert isinstance(report, GuessReport)
    return report


def record_of(path: Path):
    record = read_record(path)
    assert record is not None
    return record


def test_a_guess_is_told_from_a_drawn_label_until_somebody_changes_it():
    drawn = drawn_face("astronaut").record
    assert guess_kind(drawn) is None
    guessed = with_guess(drawn, drawn.polygons, "hull")
    assert guess_kind(guessed) == "hull"
    moved = tuple(Polygon(p.include, p.points + np.float32(1)) for p in drawn.polygons)
    turned = tuple(replace(p, include=not p.include) for p in drawn.polygons)
    for polygons in (moved, turned, drawn.polygons[:0]):
        assert guess_kind(guessed.replace(polygons=polygons)) is None
    accepted = without_guess_mark(guessed)
    assert guess_kind(accepted) is None
    assert accepted.extra == drawn.extra
    assert not learned_from(guessed)
    assert learned_from(with_guess(drawn, drawn.polygons, "neighbours"))


def test_guesses_go_through_files_packs_and_other_sizes(workspace: Workspace):
    before = {path.name: path.read_bytes() for path in face_paths(workspace)}
    first, *_ = face_paths(workspace)
    label(first)
    drawn = record_of(first).polygons

    report = guess(workspace, "hull")

    assert (report.guessed, report.drawn, report.without) == (len(before) - 1, 1, ())
    for path in face_paths(workspace)[1:]:
        assert guess_kind(record_of(path)) == "hull"
        strict_file(path)
    smaller = convert_face(read_face(face_paths(workspace)[1]), size=64, face_type=FaceType.FULL)
    assert guess_kind(face_from_bytes(smaller.data, "smaller").record) == "hull"
    listed = mask(workspace, config())
    assert isinstance(listed, LabelsReport)
    assert listed.statistics.guessed == len(before) - 1
    assert labelled([record_of(path) for path in face_paths(workspace)]) == [0]
    pack(workspace, PackConfig(side=Side.SRC))
    assert labelled(load_faceset(workspace.aligned_dir(Side.SRC)).records) == [0]
    again = guess(workspace, "hull", refine=True, only=(face_paths_in_pack(workspace)[3],))
    assert again.guessed == 1
    mask(workspace, config("remove", what="guesses"))
    unpack(workspace, UnpackConfig(side=Side.SRC))
    after = {path.name: path.read_bytes() for path in face_paths(workspace)}
    assert {n: d for n, d in after.items() if n != first.name} == {
        n: d for n, d in before.items() if n != first.name
    }
    assert all(
        np.array_equal(a.points, b.points)
        for a, b in zip(record_of(first).polygons, drawn, strict=True)
    )


def face_paths_in_pack(workspace: Workspace) -> tuple[str, ...]:
    return load_faceset(workspace.aligned_dir(Side.SRC)).names


def test_a_guess_is_no_label_to_train_on(workspace: Workspace):
    guess(workspace, "hull")
    with pytest.raises(FacesetError, match="20 carry guesses"):
        mask(workspace, MaskConfig(action="train", side=Side.SRC, target_iter=1))


def test_a_guess_does_not_stand_for_the_mask_that_is_learned_instead():
    face = drawn_face("astronaut")
    stored = np.zeros((256, 256), np.float32)
    stored[:64] = 1
    masked = with_guess(face.record, face.record.polygons, "hull").replace(
        xseg_mask=encode_xseg_mask(stored)
    )
    assert labelled([masked]) == [0]
    np.testing.assert_array_equal(drawn_mask(masked, 256, 256)[..., 0], stored)


def test_neighbours_of_a_drawn_face_get_its_outlines(workspace: Workspace):
    for path in face_paths(workspace):
        path.unlink()
    for name in ("speech_man_00029", "speech_man_00036", "speech_man_00120", "webcam_man_00028"):
        target = workspace.aligned_dir(Side.SRC) / f"{name}.jpg"
        target.write_bytes((FOLDER / f"{name}.jpg").read_bytes())
        own = record_of(target)
        number = name[-5:]
        kept = own.polygons if number == "00029" else ()
        replace_record(target, own.replace(polygons=kept, source_filename=f"{number}.png"))

    report = guess(workspace, "neighbours", frames=10)

    assert (report.guessed, report.drawn) == (1, 1)
    # The webcam's face is of a frame beside, but of somebody else.
    assert report.without == ("speech_man_00120.jpg", "webcam_man_00028.jpg")
    face = read_face(workspace.aligned_dir(Side.SRC) / "speech_man_00036.jpg")
    wanted = drawn_face("speech_man_00036")
    found, drawn = plane(face.record.polygons, face), plane(wanted.record.polygons, wanted)
    assert np.count_nonzero(found & drawn) > 0.94 * np.count_nonzero(found | drawn)
    assert learned_from(face.record)


def test_a_network_guesses_and_says_what_to_label_next(workspace: Workspace, eager):
    unasked = mask(workspace, config("next", count=3))
    assert isinstance(unasked, NextReport)
    assert unasked.model == ""
    assert [face.doubt for face in unasked.faces] == [None] * 3
    make_model(workspace)
    paths = face_paths(workspace)
    for path in paths[3:]:
        label(path)

    report = mask(workspace, config("next", count=2, batch=3))

    assert isinstance(report, NextReport)
    assert (report.model, report.labelled, report.unlabelled) == ("xseg", len(paths) - 3, 3)
    assert {face.name for face in report.faces} < {path.name for path in paths[:3]}
    assert all(face.doubt is not None and 0 < face.doubt <= 1 for face in report.faces)
    assert "unsure of" in report.summary()
    told = guess(workspace, "model", batch=3)
    assert told.guessed + len(told.without) == 3
    assert guess(workspace, "masks").without == tuple(path.name for path in paths[:3])


def test_parts_of_the_face_become_masks_without_a_network(workspace: Workspace):
    first, second, *_ = paths = face_paths(workspace)
    face = read_face(second)
    half = np.array([[0, 0], [face.width / 2, 0], [face.width / 2, 999], [0, 999]], np.float32)
    label(second, Polygon(True, half))

    report = mask(workspace, config("apply", part=("eyes", "mouth")))

    assert isinstance(report, MaskApplyReport)
    assert (report.masked, report.model, report.parts) == (len(paths), "", ("eyes", "mouth"))
    made = read_face(first).decode_mask()
    limited = read_face(second).decode_mask()
    assert made is not None
    assert limited is not None
    points = (read_face(first).record.landmarks * 256 / read_face(first).width).astype(int)
    inside = [bool(made[y, x, 0]) for x, y in points.tolist()]
    assert all(inside[36:68])  # eyes and lips
    assert not inside[8]  # the chin
    assert not inside[30]  # the tip of the nose
    assert limited[:, :120].any()
    assert not limited[:, 136:].any()


def test_nose_and_brows_become_masks_of_their_own(workspace: Workspace):
    within = {"nose": range(27, 36), "brows": range(17, 27)}
    for part, points in within.items():
        mask(workspace, config("apply", part=(part,)))
        face = read_face(face_paths(workspace)[0])
        made = face.decode_mask()
        assert made is not None
        places = (face.record.landmarks * 256 / face.width).astype(int).tolist()
        inside = {n for n, (x, y) in enumerate(places) if made[y, x, 0]}
        assert set(points) <= inside
        assert not inside & {*range(3, 14), *range(36, 48), *range(55, 60)}  # jaw, eyes, lower lip


def test_names_that_are_no_faces_are_refused(workspace: Workspace):
    with pytest.raises(ConfigError, match=r"nobody\.jpg"):
        guess(workspace, "hull", only=("nobody.jpg",))
