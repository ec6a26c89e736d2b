"""The workspace panel: what it says of a real workspace and its copies, and what its buttons do."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from dflcolab.errors import SyncError
from dflcolab.runtime import show, storage
from dflcolab.runtime.notebook import Session
from dflcolab.widgets.workspace_panel import WorkspacePanel
from dflcolab.workspace.workspace import Side
from tests.runtime.runtimes import JUPYTER, TERMINAL
from tests.runtime.saved_models import save_model
from tests.runtime.test_notebook import FORM, MASKED

PICKED = {**FORM, "workspace_name": "one"}


class Page:
    """What is displayed."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.panels: list[WorkspacePanel] = []

    def panel(self, session: Session, **form: Any) -> WorkspacePanel:
        """The panel below the cell that opens a workspace."""
        session.open(**{**FORM, **form})
        return self.panels[-1]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    page = Page()
    monkeypatch.setattr(show, "show", page.texts.append)
    made = WorkspacePanel.__init__

    def noted(panel: WorkspacePanel, *args: Any) -> None:
        made(panel, *args)
        page.panels.append(panel)

    monkeypatch.setattr(WorkspacePanel, "__init__", noted)
    return page


@pytest.fixture
def session(tmp_path: Path) -> Session:
    session = Session(JUPYTER, values={"local_folder": str(tmp_path / "here")})
    session.connect(storage_folder=str(tmp_path / "shelf"))
    return session


def test_it_says_what_is_there_how_far_it_is_copied_and_what_is_not(session: Session, page: Page):
    panel = page.panel(session, workspace_name="one")
    assert "written and read back" in panel.table.value
    assert "<b>Not copied yet</b></td><td>nothing" in panel.table.value
    workspace = session.workspace
    shutil.copy(MASKED, workspace.aligned_dir(Side.SRC) / "00001_0.jpg")
    save_model(workspace.model_dir("first"), 1234, "tiny", pretraining=True)

    panel.look_again.click()

    text = panel.table.value
    assert "<td>1 face, 0.0 MB</td>" in text
    assert "first: df-ud 64 px, iteration 1234 (pretraining), 0.0 MB" in text
    assert "(data_src/aligned, model" in text
    assert "none yet" in text  # dst
    panel.copy.click()
    assert "6 files" in panel.status.value
    assert "nothing" in panel.table.value


def test_another_workspace_is_picked_from_the_list_until_another_name_is_typed(
    session: Session, page: Page, tmp_path: Path
):
    page.panel(session, workspace_name="two")
    shutil.rmtree(tmp_path / "here" / "two")  # only its copy is left
    panel = page.panel(session, **PICKED)
    assert sorted(name for _, name in panel.names.options) == ["one", "two"]
    assert all("no model yet" in line for line, _ in panel.names.options)
    panel.names.value = "two"

    panel.open.click()

    assert "Type two into workspace_name" in panel.status.value
    assert str(tmp_path / "here" / "two") in panel.table.value
    assert session.workspace.root.name == "two"
    before = (session.workspace.root / "workspace.toml").read_text()
    # "Run all" again in this kernel: what was picked last counts, and gets nothing of the form.
    session.open(**{**PICKED, "src_rights": "consent"})
    assert session.workspace.root.name == "two"
    assert (session.workspace.root / "workspace.toml").read_text() == before
    session.open(**{**FORM, "workspace_name": "three"})
    assert session.workspace.root.name == "three"


def test_nothing_else_is_opened_while_a_job_runs_here(
    session: Session, page: Page, monkeypatch: pytest.MonkeyPatch
):
    page.panel(session, workspace_name="two")
    panel = page.panel(session, **PICKED)

    class Running:
        def busy_sentence(self) -> str:
            return "The training of first is running."

    monkeypatch.setattr("dflcolab.runtime.workspace_desk.Job.running_in", lambda root: Running())
    panel.names.value = "two"
    panel.open.click()

    assert "is running" in panel.status.value
    assert session.workspace.root.name == "one"


def test_a_storage_that_fails_is_told_in_its_place(
    session: Session, page: Page, monkeypatch: pytest.MonkeyPatch
):
    panel = page.panel(session, **PICKED)

    def offline(*_: object) -> None:
        raise SyncError("Drive is offline & gone; nothing here is lost.")

    monkeypatch.setattr(storage, "list_generations", offline)
    monkeypatch.setattr(storage, "stored_workspaces", offline)
    panel.look_again.click()

    assert "Drive is offline &amp; gone" in panel.table.value
    assert "Drive is offline &amp; gone" in panel.status.value
    assert panel.names.options == ()


@pytest.mark.bad_day("panel-no-storage")
def test_without_a_storage_it_says_so(tmp_path: Path, page: Page):
    session = Session(JUPYTER, values={"local_folder": str(tmp_path)})
    panel = page.panel(session, **PICKED)
    assert "on this machine only" in panel.table.value

    panel.copy.click()

    assert "Connect storage" in panel.status.value


def test_without_widgets_it_is_text(tmp_path: Path, page: Page):
    runtime = TERMINAL
    where = type(runtime.where)(runtime.where.place, False, False, None, None)
    session = Session(type(runtime)(where, runtime.versions, runtime.machine),
                      values={"local_folder": str(tmp_path)})  # fmt: skip
    session.open(**PICKED)

    assert not page.panels
    assert "Models: none yet" in page.texts[-1]
