"""On managed machines the user chooses once per workspace; elsewhere nobody is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from dflcolab.errors import RightsError
from dflcolab.merging.config import MergeConfig
from dflcolab.pipeline.demo import demo
from dflcolab.pipeline.demo_config import DemoConfig
from dflcolab.pipeline.init import init
from dflcolab.pipeline.merge import merge
from dflcolab.pipeline.pretrain import pretrain
from dflcolab.pipeline.train import train
from dflcolab.runtime import rules
from dflcolab.runtime.where import Place, Where
from dflcolab.training.config import PretrainConfig, TrainConfig
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.workspace import Rights, RightsBasis, Workspace
from tests.conftest import CommandLine
from tests.runtime.runtimes import COLAB, JUPYTER, KAGGLE, TERMINAL

COMMAND = Where(Place.COLAB_HOSTED, False, False, None, 7)
"""`!dflcolab …` in a cell of hosted Colab."""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    init(tmp_path / "w", InitConfig(), where=TERMINAL.where)
    return Workspace.open(tmp_path / "w")


@pytest.mark.parametrize("runtime", [JUPYTER, TERMINAL], ids=lambda runtime: runtime.where.place)
def test_ones_own_machine_asks_nothing_and_records_nothing(workspace: Workspace, runtime):
    rules.require_choice(workspace, runtime.where)
    report = init(workspace.root, InitConfig(platform_choice="go-on"), where=runtime.where)

    assert report.platform == ""
    assert workspace.settings.platform_choice is None


def test_init_shows_the_rules_until_the_choice_is_made(workspace: Workspace):
    before = init(workspace.root, InitConfig(), where=COMMAND)
    after = init(workspace.root, InitConfig(platform_choice="go-on"), where=COMMAND)

    assert "creating deepfakes" in before.summary()
    assert f"dflcolab init -w {workspace.root} --platform-choice go-on" in before.summary()
    assert "deepfakes" not in after.summary()
    rules.require_choice(workspace, COMMAND)


def test_the_choice_is_recorded_once(workspace: Workspace):
    rules.record_choice(workspace, COMMAND, go_on=True)
    first = workspace.settings.platform_choice
    workspace.update(platform_choice=type(first)(first.place, first.decision, "2026-01-01"))
    rules.record_choice(workspace, COMMAND, go_on=True)

    assert workspace.settings.platform_choice.time == "2026-01-01"


@pytest.mark.bad_day("rules-declined")
def test_a_choice_can_be_taken_back(workspace: Workspace):
    rules.record_choice(workspace, COMMAND, go_on=True)
    rules.record_choice(workspace, COMMAND, go_on=False)

    with pytest.raises(RightsError, match="You chose not to work on hosted Colab"):
        rules.require_choice(workspace, COMMAND)


@pytest.mark.bad_day("rules-undecided")
def test_a_choice_for_one_place_does_not_hold_for_another(workspace: Workspace):
    rules.record_choice(workspace, KAGGLE.where, go_on=True)

    rules.require_choice(workspace, KAGGLE.where)
    with pytest.raises(RightsError, match="rules of hosted Colab"):
        rules.require_choice(workspace, COMMAND)


def test_the_refusal_in_a_notebook_names_the_cell(workspace: Workspace):
    with pytest.raises(RightsError, match="the cell “Rules and consent”"):
        rules.require_choice(workspace, COLAB.where)


def test_every_verb_that_trains_or_merges_asks(workspace: Workspace, tmp_path: Path):
    rights = Rights(RightsBasis.SELF)
    workspace.update(rights_src=rights, rights_dst=rights)
    calls = [
        lambda: pretrain(workspace, PretrainConfig(model="m"), where=COMMAND),
        lambda: train(workspace, TrainConfig(model="m"), where=COMMAND),
        lambda: merge(workspace, MergeConfig(model="m"), where=COMMAND),
        lambda: demo(DemoConfig(out=tmp_path / "demo"), where=COMMAND),
    ]
    for call in calls:
        with pytest.raises(RightsError, match=r"rules of hosted Colab.*--platform-choice go-on"):
            call()
    assert not list((tmp_path / "demo").glob("data_*/aligned/*.jpg"))  # before it works


def test_the_command_line_on_a_managed_machine(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    root = tmp_path / "w"
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    cli.report("init", "-w", root, "--src-rights", "self", "--dst-rights", "self")

    refusal = cli.refusal("merge", "-w", root, "--model", "m")
    assert "rules of Kaggle" in refusal
    assert f"`dflcolab init -w {root} --platform-choice go-on`" in refusal

    assert cli.report("init", "-w", root, "--platform-choice", "go-on")["platform"] == ""
    assert "rules" not in cli.refusal("merge", "-w", root, "--model", "m")  # no footage yet
