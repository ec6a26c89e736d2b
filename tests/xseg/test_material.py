"""Which faces a network gets out of a faceset that is not as it should be."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from dflcolab.errors import FacesetError
from dflcolab.faces.face_record import Polygon
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.faceset import load_faceset
from dflcolab.formats.dfl_jpeg import read_record, replace_record
from dflcolab.models.xseg.options import xseg_options
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Side, Workspace
from dflcolab.xseg.material import gather_material
from dflcolab.xseg.session import Material
from tests.xseg.label_files import face_paths, label, sample_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return sample_workspace(tmp_path / "workspace")


def gather(workspace: Workspace, **options: object) -> tuple[Material, list[str], list[str]]:
    """The material, what is told before training, and what is told of single faces."""
    told: list[str] = []
    problems: list[str] = []
    material = gather_material(
        load_faceset(workspace.aligned_dir(Side.SRC)),
        xseg_options({"face_type": "whole_face", **options}),
        share=0.3,
        state={},
        seed=0,
        cache_dir=workspace.root / "cache",
        progress=Progress(),
        note=told.append,
        problems=problems,
    )
    return material, told, problems


def damage(path: Path) -> None:
    """Spoil the tables without which the picture cannot be decoded; its face data stay readable."""
    data = bytearray(path.read_bytes())
    at = data.find(b"\xff\xc4")
    while at >= 0:
        (length,) = struct.unpack_from(">H", data, at + 2)
        data[at + 4 : at + 2 + length] = b"\xff" * (length - 2)
        at = data.find(b"\xff\xc4", at + 2 + length)
    path.write_bytes(data)


def test_labels_that_show_too_little_are_no_part_of_what_is_held_out(workspace: Workspace):
    paths = face_paths(workspace)
    for number, path in enumerate(paths):
        label(path)
        own = read_record(path)
        assert own is not None
        narrow = FaceType.HALF if number >= len(paths) - 4 else FaceType.WHOLE
        replace_record(path, own.replace(face_type=narrow))

    material, told, problems = gather(workspace)

    assert len(material.training) == 16
    assert material.held_out is None  # of fewer than 20 labels that can be used
    assert problems == []
    (sentence,) = told
    assert sentence.startswith("4 labelled faces show less than whole_face")
    assert paths[-4].name in sentence
    with pytest.raises(FacesetError, match="head"):
        gather(workspace, face_type="head")


def test_a_damaged_face_without_a_label_does_not_keep_the_others_from_being_learned(
    workspace: Workspace,
):
    first, second, *others = face_paths(workspace)
    for path in others:
        path.unlink()
    label(first, Polygon(False, np.array([[10, 10], [90, 20], [40, 80]], np.float32)))
    damage(second)

    material, told, problems = gather(workspace)

    assert (len(material.training), material.others) == (1, None)
    (problem,) = problems
    assert second.name in problem
    (sentence,) = told  # an outline that only cuts out leaves nothing
    assert "of 1 labelled faces hold nothing" in sentence
    assert first.name in sentence
