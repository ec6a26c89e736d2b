"""The layers in `pyproject.toml`, which import-linter holds, know every part of the package."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
_IN_PARTS = "runtime"
"""Package whose modules belong to different layers."""
_ANYWHERE = {"__init__", "__main__", "assets"}


def test_every_package_and_module_has_a_layer():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = settings["tool"]["importlinter"]["contracts"][0]
    known = {
        name.strip().removeprefix("dflcolab.")
        for layer in contract["layers"]
        for name in layer.replace("|", ":").split(":")
    }
    parts = {path.stem for path in (ROOT / "dflcolab").iterdir() if path.name[0] != "."}
    parts -= {"__pycache__", _IN_PARTS, *_ANYWHERE}
    parts |= {
        f"{_IN_PARTS}.{path.stem}"
        for path in (ROOT / "dflcolab" / _IN_PARTS).glob("*.py")
        if path.stem != "__init__"
    }

    assert parts == known
