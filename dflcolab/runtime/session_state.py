"""What the cells of a notebook share: the machine, the storage, the open workspace, and its jobs."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dflcolab.errors import ConfigError, DFLColabError, WorkspaceError
from dflcolab.progress import NotebookProgress, Progress
from dflcolab.runtime import rules
from dflcolab.runtime.asking import ask
from dflcolab.runtime.cells import stop_button
from dflcolab.runtime.description import Runtime
from dflcolab.runtime.drive import Drive
from dflcolab.runtime.monitoring import run_job, run_training_job
from dflcolab.runtime.results import show_end, show_preview
from dflcolab.runtime.show import show_text
from dflcolab.runtime.storage import Storage
from dflcolab.runtime.supervise import hears_buttons
from dflcolab.runtime.where import Place
from dflcolab.workspace.workspace import Side, Workspace

if TYPE_CHECKING:
    from dflcolab.config import Config
    from dflcolab.runtime.job import JobEnd
    from dflcolab.runtime.model_choice import ModelChoice
    from dflcolab.training.config import TrainConfig

SAMPLE = "demo"
"""Name of the workspace that gets the sample clips when no videos are given."""

AS_IT_IS = "as it is"
"""A choice that changes nothing."""

NOT_SAID = "not said yet"
"""The choice of a basis before there is one."""

DECISIONS = {rules.NOT_CHOSEN: None, rules.GO_ON: "go-on", rules.STOP: "stop"}
"""The choices of the first cell, as `init` takes them."""


class SessionState:
    """The state between the cells.

    Args:
        runtime: Where the notebook runs, and with what.
        drive: Where copies go on this kind of machine; None decides by the place.
        values: Form values set from outside.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        drive: Drive | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        self.runtime = runtime
        self.where = runtime.where
        self.values = dict(values or {})
        self.progress: Progress = NotebookProgress()
        self._drive = drive
        self._storage: Storage | None = None
        self._choice = rules.NOT_CHOSEN
        self._workspace: Workspace | None = None
        self._model: ModelChoice | None = None
        self._typed = ""
        self._picked: tuple[str, str] | None = (
            None  # what was typed, and picked from the list instead
        )

    @property
    def workspace(self) -> Workspace:
        """The open workspace.

        Raises:
            WorkspaceError: The cell that opens it has not run.
        """
        if self._workspace is None:
            raise WorkspaceError("No workspace is open; run the cell “Open a workspace” first.")
        return self._workspace

    def _list_workspaces(self, storage: Storage) -> None:
        """Say what could be opened; a storage that does not answer is told and stops nothing."""
        try:
            stored = storage.workspaces()
        except DFLColabError as error:
            show_text(str(error))
            return
        if stored:
            title = (
                "Workspaces there, the newest first; give a name in the next cell to go on with it:"
            )
            show_text("\n".join([title, *(entry.line() for entry in stored)]))
        else:
            show_text("No workspace has a copy there yet; the next cell begins one.")

    def _local_root(self, local_folder: str) -> Path:
        """Where workspaces are on this machine's own disk."""
        if local_folder:
            return Path(local_folder).expanduser()
        hosted = self.where.place is Place.COLAB_HOSTED
        return (Path("/content") if hosted else Path.cwd()) / "workspaces"

    def _given_paths(self, text: str) -> tuple[Path, ...]:
        """Paths of the form, separated by `;`; also looked up on the connected storage."""
        return tuple(self._path_of(part) for part in parts_of(text))

    def _given_videos(self, text: str, workspace: Workspace) -> tuple[Path, ...]:
        """The same of a side's videos, without those that the workspace has taken and that are gone.

        On a new machine that is what was uploaded to the old one.

        Raises:
            ConfigError: One is a link.
        """
        from dflcolab.pipeline.bring_in import brought_before

        found: list[Path] = []
        for part in parts_of(text):
            if "://" in part:
                raise ConfigError(
                    f"{part} is a link; put the video on your storage and give its path there, or give "
                    "the link of a whole workspace as existing_workspace."
                )
            path = self._path_of(part)
            if not path.exists() and brought_before(workspace, part):
                show_text(f"{part} is not on this machine any more; the workspace has its copy.")
            else:
                found.append(path)
        return tuple(found)

    def _given_source(self, text: str) -> str | None:
        """A folder or file, looked up like other paths, or a link as it is; None for nothing."""
        text = text.strip()
        path = self._path_of(text) if text else None
        return str(path) if path is not None and path.exists() else text or None

    def _path_of(self, part: str) -> Path:
        """A path of this machine, else of the storage."""
        path = Path(part).expanduser()
        return path if path.exists() or self._storage is None else self._storage.folder / part

    def _record_choice(self) -> None:
        decision = DECISIONS[self._choice]
        if self._workspace is not None and decision is not None:
            rules.record_choice(self._workspace, self.where, go_on=decision == "go-on")

    def _has_checkpoint(self, model_name: str) -> bool:
        from dflcolab.engine.checkpoint import list_checkpoints

        return bool(list_checkpoints(self.workspace.model_dir(model_name)))

    def _can_merge_straight(self) -> bool:
        """Whether dst is a video alone.

        Pictures beside it are there for a reason, and their numbers may not be those of its frames.
        """
        from dflcolab.media.frame_sequence import list_frames

        folder = self.workspace.frames_dir(Side.DST)
        pictures = list_frames(folder)
        if pictures:
            show_text(
                f"{folder} holds {len(pictures)} pictures of dst, so they are merged, into single frames; the "
                "next cell makes the video of them. To merge straight to a video, move these pictures away."
            )
        return not pictures and bool(self.workspace.videos(Side.DST))

    def _copies_address(self) -> str:
        """Where training copies to; "" without storage."""
        return "" if self._storage is None else str(self._storage.address(self.workspace))

    async def _with_more_options(self, config: TrainConfig) -> TrainConfig:
        """What the user makes of it in a form, where a form can be used in a running cell."""
        from dflcolab.engine.checkpoint import latest_checkpoint

        if not hears_buttons(self.where):
            show_text("A form cannot be used here. Give options as text in the field above.")
            return config
        from dflcolab.widgets.training_form import TrainingForm

        checkpoint = latest_checkpoint(self.workspace.model_dir(config.model))
        form = TrainingForm(config, checkpoint and checkpoint.state())
        return await ask(form, label="Start", progress=self.progress, where=self.where)

    async def _train_in_a_job(self, verb: str, config: TrainConfig) -> JobEnd:
        """Train in a process of its own, or join one that does so already.

        What it saved goes to the storage, however it ends.
        """
        workspace = self.workspace
        rules.require_choice(workspace, self.where)
        try:
            with self._copying():
                end = await run_training_job(workspace, verb, config, where=self.where)
        except DFLColabError:
            with stop_button(self.progress):
                self._copy()
            raise
        with stop_button(self.progress):
            show_text(end.summary)
            show_preview(workspace, config.model)
            self._copy()
        return end

    async def _show_job(self, verb: str, config: Config) -> None:
        """A verb in a process of its own, so that it leaves the memory of the card when it ends."""
        end = await run_job(self.workspace, verb, config, where=self.where)
        with stop_button(self.progress):
            show_end(end)

    def _draws_widgets(self) -> bool:
        """Whether this page can show them."""
        return self.where.widgets_generation is not None and bool(
            importlib.util.find_spec("ipywidgets")
        )

    def _copying(self) -> AbstractContextManager[object]:
        """Around what copies: the drive stays meanwhile."""
        return nullcontext() if self._storage is None else self._storage.copying()

    def _copy(self) -> None:
        if self._storage is not None:
            self._storage.copy(self.workspace, self.progress)


def parts_of(text: str) -> list[str]:
    """What a field names, separated by `;`."""
    return [part.strip() for part in text.split(";") if part.strip()]
