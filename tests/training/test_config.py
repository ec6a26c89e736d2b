"""Options of a run, and how text becomes options."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dflcolab.errors import ConfigError
from dflcolab.training.config import TrainConfig, parse_duration, with_settings


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("11h30m", 41400), ("1d", 86400), ("2h5s", 7205)]
)
def test_durations_are_read(text: str, seconds: int):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5", "3x", "m5", "-3h"])
def test_other_durations_are_refused(text: str):
    with pytest.raises(ConfigError, match="deadline"):
        TrainConfig(model="a", deadline=text)


def test_set_reaches_the_command_and_the_model():
    config = TrainConfig(model="a", set=("save_every=7", "archi=df-ud", "preview_every=0"))
    config, rest = with_settings(config)
    assert config.save_every == 7
    assert config.preview_every == 0
    assert rest == {"archi": "df-ud"}


def test_a_batch_is_a_number_or_auto():
    assert TrainConfig(model="a").batch == "preset"
    assert TrainConfig(model="a", batch="auto").batch == "auto"
    assert TrainConfig(model="a", batch="12").batch == 12
    with pytest.raises(ConfigError, match="batch"):
        TrainConfig(model="a", batch=0)


def test_the_options_load_without_tensorflow():
    code = (
        "import sys, dflcolab.training.config, dflcolab.models.kinds; "
        "sys.exit(any(m in sys.modules for m in ('tensorflow', 'numpy', 'cv2')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
