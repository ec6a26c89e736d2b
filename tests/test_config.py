from __future__ import annotations

import argparse
import enum
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflcolab.config import (
    Config,
    add_arguments,
    describe,
    from_arguments,
    from_mapping,
    option,
    parse_assignments,
    parse_toml,
    to_plain,
    updated,
)
from dflcolab.errors import ConfigError


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, kw_only=True)
class PaintConfig(Config):
    """How to paint."""

    color: Color
    """Which paint. Costs the same."""

    coats: int = option(2, low=1, high=9)
    """Number of coats;
    more cover better."""

    gloss: float | None = option(None, low=0, high=1)
    """Share of gloss, or none for matt."""

    dry: bool = True
    """Wait between coats."""

    hours: float = option(4.0, low=0)
    """How long."""

    brush: Literal["flat", "round"] = "flat"
    """Shape of the brush."""

    walls: tuple[str, ...] = ()
    """Which walls."""

    out: Path = Path("out")
    """Where to."""


def _parse(words: list[str]) -> PaintConfig:
    parser = argparse.ArgumentParser()
    add_arguments(parser, PaintConfig)
    return from_arguments(PaintConfig, parser.parse_args(words))


def test_field_texts_become_help():
    help_of = {info.name: info.help for info in describe(PaintConfig)}

    assert help_of["coats"] == "Number of coats; more cover better."


def test_the_command_line_is_made_from_the_fields():
    config = _parse(
        "--color blue --coats 3 --no-dry --gloss 0.5 --walls n s --walls e --out x".split()
    )

    assert config == PaintConfig(
        color=Color.BLUE,
        coats=3,
        dry=False,
        gloss=0.5,
        walls=("n", "s", "e"),
        out=Path("x"),
    )


@dataclass(frozen=True, kw_only=True)
class PlaceConfig(Config):
    """Where to."""

    place: str = ""
    """Nowhere unless given."""


def test_an_empty_default_is_not_shown():
    parser = argparse.ArgumentParser()
    add_arguments(parser, PlaceConfig)

    assert parser.format_help().rstrip().endswith("Nowhere unless given.")


def test_what_the_user_leaves_out_keeps_its_default():
    assert _parse(["--color", "red"]) == PaintConfig(color=Color.RED)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"color": "green"}, "red, blue"),
        ({"color": "red", "coats": 10}, "1 to 9"),
        ({"color": "red", "coats": "two"}, "whole number"),
        ({"color": "red", "coats": 2.5}, "whole number"),
        ({"color": "red", "coats": math.inf}, "coats = inf is not a whole number"),
        ({"color": "red", "coats": "9" * 20}, "1 to 9"),
        ({"color": "red", "gloss": math.nan}, "gloss = nan is not a number"),
        ({"color": "red", "hours": "inf"}, "hours = inf is not a finite number"),
        ({"color": "red", "hours": 10**400}, "hours = 1000"),
        ({"color": "red", "dry": "maybe"}, "true or false"),
        ({"color": "red", "brush": "square"}, "flat, round"),
        ({"color": "red", "coat": 3}, "did you mean 'coats'"),
        ({}, "'color' is missing"),
        ({"color": None}, "needs a value"),
    ],
)
def test_a_wrong_value_is_refused_with_the_remedy(values: dict[str, object], named: str):
    with pytest.raises(ConfigError, match=named.replace("(", r"\(")):
        from_mapping(PaintConfig, values)


def test_a_number_or_a_word_is_refused_with_both():
    @dataclass(frozen=True, kw_only=True)
    class Shown(Config):
        state: int | Literal["latest", "best"] = "latest"

    assert from_mapping(Shown, {"state": "1500"}).state == 1500
    remedy = r"'1,500' is not known; give a whole number, or choose one of latest, best\."
    with pytest.raises(ConfigError, match=remedy):
        from_mapping(Shown, {"state": "1,500"})


def test_no_wrong_object_can_be_built():
    with pytest.raises(ConfigError):
        PaintConfig(color=Color.RED, coats=0)


@given(
    coats=st.integers(1, 9),
    gloss=st.none() | st.floats(0, 1),
    dry=st.booleans(),
    walls=st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])), max_size=4
    ),
)
def test_a_config_survives_as_plain_values(
    coats: int, gloss: float | None, dry: bool, walls: list[str]
):
    config = PaintConfig(color=Color.BLUE, coats=coats, gloss=gloss, dry=dry, walls=tuple(walls))

    # As a job's process gets it.
    assert from_mapping(PaintConfig, json.loads(json.dumps(to_plain(config)))) == config


def test_broken_toml_is_refused_with_its_name():
    with pytest.raises(ConfigError, match=r"paint\.toml is not valid TOML"):
        parse_toml("color = ", source="paint.toml")


def test_updates_convert_text():
    assert updated(PaintConfig(color=Color.RED), {"coats": "7", "dry": "no"}).coats == 7


def test_assignments_need_an_equals_sign():
    assert parse_assignments(["a=1", "b = x=y"]) == {"a": "1", "b": "x=y"}
    with pytest.raises(ConfigError, match="key=value"):
        parse_assignments(["a"])


def test_plain_values_are_json_ready():
    plain = to_plain(PaintConfig(color=Color.RED))

    assert plain["color"] == "red"
    assert plain["out"] == "out"
    assert to_plain({"a": [math.inf, 0.5], "b": np.array([np.nan, 1.0])}) == {
        "a": [None, 0.5],
        "b": [None, 1.0],
    }
