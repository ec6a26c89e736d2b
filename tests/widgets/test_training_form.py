"""The form of a training: what is changed in it becomes options, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dflcolab.config import to_plain
from dflcolab.errors import ConfigError, Interrupted
from dflcolab.models.kinds import swap_options_of
from dflcolab.progress import Progress
from dflcolab.runtime.asking import ask
from dflcolab.training.config import TrainConfig
from dflcolab.widgets.training_form import TrainingForm
from tests.runtime.runtimes import JUPYTER

CONFIG = TrainConfig(
    model="m", preset="light", deadline="5m", set=("gan_dims=8",), remote="/copies"
)


def field(form: TrainingForm, name: str) -> Any:
    for part in (form._run, form._model):
        if name in part._fields:
            return part._fields[name].widget
    raise KeyError(name)


def test_an_untouched_form_changes_nothing():
    assert TrainingForm(CONFIG, None).config() == CONFIG


def test_changes_of_the_model_are_set_and_those_of_the_run_replaced():
    form = TrainingForm(CONFIG, None)
    field(form, "random_warp").value = False
    field(form, "ct_mode").value = "rct"
    field(form, "resolution").value = 160
    field(form, "target_iter").value = "900"
    field(form, "deadline").value = ""

    found = form.config()
    assert found.set == ("gan_dims=8", "resolution=160", "random_warp=no", "ct_mode=rct")
    assert (found.target_iter, found.deadline, found.remote) == (900, None, "/copies")


def test_a_model_on_disk_keeps_its_structure_and_shows_its_own_options():
    options = swap_options_of("saehd", {"resolution": 160, "learning_rate": 1e-5})
    form = TrainingForm(CONFIG, {"architecture": "saehd", "options": to_plain(options)})

    assert field(form, "learning_rate").value == 1e-5
    with pytest.raises(KeyError):
        field(form, "resolution")
    assert form.config() == CONFIG


class Pressed:
    """A form whose button is pressed while it is shown."""

    def __init__(self, form: TrainingForm, monkeypatch: pytest.MonkeyPatch) -> None:
        self.box, self._form, self.asked = form.box, form, 0
        self.button: Any = None
        monkeypatch.setattr("IPython.display.display", self._take)

    def _take(self, shown: Any) -> None:
        self.button = shown.children[-1]
        self.button.click()

    def config(self) -> TrainConfig:
        self.asked += 1
        try:
            return self._form.config()
        except ConfigError:
            field(self._form, "deadline").value = "1h"  # the user reads the sentence
            self.button.click()
            raise


def test_the_button_counts_once_the_form_is_right(monkeypatch: pytest.MonkeyPatch):
    form = TrainingForm(CONFIG, None)
    field(form, "deadline").value = "soon"
    pressed = Pressed(form, monkeypatch)

    found = asyncio.run(ask(pressed, label="Start", progress=Progress(), where=JUPYTER.where))

    assert (found.deadline, pressed.asked) == ("1h", 2)
    assert pressed.button.disabled


def test_the_cells_stop_button_ends_the_question(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("IPython.display.display", lambda _: None)

    async def stopped() -> None:
        question = asyncio.ensure_future(
            ask(TrainingForm(CONFIG, None), label="Start", progress=Progress(), where=JUPYTER.where)
        )
        await asyncio.sleep(0.2)
        question.cancel()
        await question

    with pytest.raises(Interrupted, match="Stopped as asked"):
        asyncio.run(stopped())
