"""Forms made of the config classes of all verbs."""

from __future__ import annotations

import pytest

from dflcolab.cli.commands import COMMANDS
from dflcolab.config import describe, from_mapping, value_type
from dflcolab.errors import ConfigError
from dflcolab.merging.config import MergeConfig
from dflcolab.models.saehd.options import SaehdOptions
from dflcolab.training.config import TrainConfig
from dflcolab.widgets.forms import ConfigForm
from dflcolab.xseg.config import MaskConfig

CLASSES = [*(command.load_config() for command in COMMANDS.values()), SaehdOptions]

# Options that are needed unless another one is given.
SAID_SOMEHOW = {MaskConfig: {"side": "src"}, MergeConfig: {"model": "m"}}


def required(config_class) -> dict[str, object]:
    """A value for each option that has no default."""
    found: dict[str, object] = dict(SAID_SOMEHOW.get(config_class, {}))
    for info in describe(config_class):
        if info.required:
            word = (info.choices or ["x y"])[0]
            found[info.name] = (word,) if value_type(info).several else word
    return found


@pytest.mark.parametrize("config_class", CLASSES, ids=lambda found: found.__name__)
def test_an_untouched_form_gives_the_defaults(config_class):
    given = required(config_class)
    form = ConfigForm(config_class, values=given)

    assert form.config() == from_mapping(config_class, given)
    assert form.values == given


def field(form: ConfigForm, name: str):
    return form._fields[name].widget


def test_what_is_changed_reaches_the_config_in_its_own_type():
    form = ConfigForm(TrainConfig, values={"model": "m"})
    field(form, "target_iter").value = " 500 "
    field(form, "batch").value = "auto"
    field(form, "stop_on").value = "overfit"
    field(form, "save_minutes").value = 2.5
    field(form, "tensorboard").value = True
    field(form, "set").value = "archi=df-ud random_warp=no"

    assert form.config() == TrainConfig(
        model="m",
        target_iter=500,
        batch="auto",
        stop_on="overfit",
        save_minutes=2.5,
        tensorboard=True,
        set=("archi=df-ud", "random_warp=no"),
    )


def test_what_matters_first_is_shown_and_the_rest_is_folded():
    form = ConfigForm(TrainConfig, first=("target_iter", "deadline"), values={"model": "m"})
    *shown, more, _ = form.box.children
    button, body = more.children

    assert len(shown) == 2
    assert "Iteration at which training ends" in shown[0].children[1].value
    assert len(body.children) == len(describe(TrainConfig)) - 2
    assert body.layout.display == "none"
    button.value = True
    assert body.layout.display is None


def test_a_wrong_value_is_said_in_the_form():
    form = ConfigForm(TrainConfig, values={"model": "m"})
    field(form, "deadline").value = "soon"

    with pytest.raises(ConfigError, match="is not a time"):
        form.config()
    assert "is not a time" in form._problem.value
    field(form, "deadline").value = "1h"
    assert form.config().deadline == "1h"
    assert form._problem.value == ""


def test_ranges_hold_while_typing():
    form = ConfigForm(TrainConfig, values={"model": "m"})
    field(form, "holdout_share").value = 7.0

    assert form.config().holdout_share == 0.5  # as high as it may be
