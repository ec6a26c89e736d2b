"""Names, numbers and letters of face types."""

from __future__ import annotations

import importlib.resources
import json
import subprocess
import sys

import pytest

from dflcolab.errors import ConfigError
from dflcolab.faces.face_type import FaceType


def table() -> list[dict]:
    folder = importlib.resources.files("dflcolab.assets") / "geometry"
    return json.loads((folder / "face_types.json").read_text())


@pytest.mark.parametrize("row", table(), ids=lambda row: row["string"])
def test_types_agree_with_the_table(row: dict):
    kind = FaceType(row["string"])
    assert kind.code == row["value"]
    assert kind.padding == (row["padding"] or 0.0)
    assert kind.unrotated == bool(row["unrotated"])
    assert kind.letter == (row["option_letter"] or row["string"])


@pytest.mark.parametrize("kind", FaceType)
def test_a_type_is_found_by_any_of_its_names(kind: FaceType):
    for name in (
        kind,
        kind.value,
        kind.value.upper(),
        kind.name,
        kind.letter,
        kind.code,
        str(kind.code),
    ):
        assert FaceType.parse(name) is kind


def test_a_wider_type_has_a_larger_number():
    crops = [kind for kind in FaceType if kind.is_crop]
    assert sorted(crops, key=lambda kind: kind.code) == sorted(
        crops, key=lambda kind: (kind.padding, kind.code)
    )


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"choose one of half_face, .*whole_face"):
        FaceType.parse("hole_face")


def test_face_types_come_without_numpy():
    code = "import sys, dflcolab.faces.face_type; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
