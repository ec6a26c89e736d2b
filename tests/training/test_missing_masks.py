"""Faces without XSeg masks are named before options train on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dflcolab.faces.hull_masks import hull_mask
from dflcolab.faceset.faceset import Faceset, load_faceset
from dflcolab.formats.dfl_jpeg import read_face, replace_record
from dflcolab.formats.xseg_masks import encode_xseg_mask
from dflcolab.models.kinds import swap_options_of
from dflcolab.training.missing_masks import missing_masks
from tests.troubleshooting.said import said
from tests.xseg.label_files import face_paths, sample_workspace


def some_faces(root: Path, *, masked: int) -> Faceset:
    """Twenty faces, the first ones with a stored mask."""
    workspace = sample_workspace(root)
    for path in face_paths(workspace)[:masked]:
        face = read_face(path)
        stored = encode_xseg_mask(hull_mask(face.record.landmarks, face.height, face.width))
        replace_record(path, face.record.replace(xseg_mask=stored))
    return load_faceset(face_paths(workspace)[0].parent)


def options(arch: str = "saehd", **values: object):
    return swap_options_of(arch, {"resolution": 64, "face_type": "full_face", **values})


@pytest.mark.bad_day("masks-missing")
@pytest.mark.parametrize(
    "wanting",
    [
        options(face_type="whole_face"),
        options(face_type="head", arch="amp"),
        options(masked_training=False, blur_out_mask=True),
    ],
)
def test_faces_whose_mask_is_wanted_are_named(tmp_path: Path, wanting):
    bare = some_faces(tmp_path / "bare", masked=0)
    done = some_faces(tmp_path / "done", masked=20)

    text = missing_masks(wanting, {"src": bare, "dst": done})

    assert text.startswith(
        f"20 of 20 faces of src have no XSeg mask, or an empty one (src {bare.names[0]}, "
    )
    said(text)


def test_what_the_hull_is_good_enough_for_is_not_told(tmp_path: Path):
    bare = some_faces(tmp_path / "bare", masked=0)
    for enough in (options(), options(face_type="whole_face", masked_training=False),
                   swap_options_of("quick96", {})):  # fmt: skip
        assert missing_masks(enough, {"src": bare, "dst": bare}) == ""
    done = some_faces(tmp_path / "done", masked=20)
    assert missing_masks(options(face_type="head"), {"src": done, "dst": done}) == ""


def test_an_empty_mask_is_none(tmp_path: Path):
    workspace = sample_workspace(tmp_path / "empty")
    for path in face_paths(workspace):
        face = read_face(path)
        mask = hull_mask(face.record.landmarks, face.height, face.width) * (path.stem != "00002_0")
        replace_record(path, face.record.replace(xseg_mask=encode_xseg_mask(mask)))
    faceset = load_faceset(face_paths(workspace)[0].parent)
    text = missing_masks(options(face_type="head"), {"src": faceset, "dst": faceset})
    assert text.startswith("1 of 20 faces of src and 1 of 20 faces of dst have no")
    assert "(src 00002_0.jpg, dst 00002_0.jpg)" in text


def test_hulls_beside_masks_are_told_for_any_face_type(tmp_path: Path):
    mixed = some_faces(tmp_path / "mixed", masked=5)
    assert "15 of 20 faces of dst" in missing_masks(options(), {"src": mixed, "dst": mixed})
