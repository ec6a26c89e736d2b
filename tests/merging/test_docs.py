"""`docs/merging.md` and the options say the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from dflcolab.config import OptionInfo, describe, to_plain
from dflcolab.merging.look import read_look
from dflcolab.merging.options import ColorTransferMode, CompositeOptions, MaskMode, Mode

PAGE = (Path(__file__).parents[2] / "docs" / "merging.md").read_text(encoding="utf-8")


def row_of(info: OptionInfo) -> str:
    """How the page must show an option: its name, values, default, and the text under its field."""
    values = f"{info.low} to {info.high}"
    if info.type is bool:
        values = "true, false"
    elif info.choices:
        values = "see below" if len(info.choices) > 3 else ", ".join(map(str, info.choices))
    default = str(to_plain(info.default)).lower() if info.type is bool else to_plain(info.default)
    return f"| `{info.name}` | {values} | {default} | {info.help} |"


@pytest.mark.parametrize("info", describe(CompositeOptions), ids=lambda info: info.name)
def test_the_page_shows_each_option_with_its_own_text(info: OptionInfo):
    assert row_of(info) in PAGE.splitlines()


@pytest.mark.parametrize("choice", [*Mode, *MaskMode, *ColorTransferMode], ids=str)
def test_the_page_explains_each_choice(choice: Mode | MaskMode | ColorTransferMode):
    assert any(line.startswith(f"| `{choice.value}` | ") for line in PAGE.splitlines())


def test_the_pages_file_can_be_used_as_it_stands():
    import tomllib

    text = PAGE.partition("```toml\n")[2].partition("```")[0]
    look = read_look(tomllib.loads(text), fixed={}, source="docs/merging.md")
    assert look.ranges
    assert look.tracks
