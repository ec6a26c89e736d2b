"""The cells of a notebook about models: choosing and training one, and what is made with it."""

from __future__ import annotations

import shutil

from dflcolab.engine.checkpoint import newest_state
from dflcolab.errors import ConfigError
from dflcolab.models.presets import Preset
from dflcolab.runtime import rules
from dflcolab.runtime.bring import download, show_where
from dflcolab.runtime.cells import awaited_cell, cell, one_of, stop_button
from dflcolab.runtime.job import Job
from dflcolab.runtime.model_choice import (
    AUTO,
    ModelChoice,
    choose_model,
    fitting_preset,
    trained_last,
)
from dflcolab.runtime.model_export import EXPORTS, place_on_storage
from dflcolab.runtime.pretraining import PretrainingTime, seconds_left
from dflcolab.runtime.results import show_made_by_merge, show_merged, show_report
from dflcolab.runtime.session_state import SAMPLE, SessionState
from dflcolab.runtime.show import show_page, show_text, show_video
from dflcolab.training.config import PretrainConfig, TrainConfig

_WISHES = {"over-training": "overfit", "nothing improves": "plateau", "never by itself": "never"}
VIDEO = "video"
LOSSLESS_VIDEO = "lossless video"
SINGLE_FRAMES = "single frames"
MERGE_INTO = (VIDEO, LOSSLESS_VIDEO, SINGLE_FRAMES)
"""What the cell of the merge writes."""


class ModelCells(SessionState):
    """One method per cell."""

    @property
    def model(self) -> ModelChoice:
        """The chosen model.

        Raises:
            ConfigError: The cell that chooses it has not run.
        """
        if self._model is None:
            raise ConfigError("No model is chosen; run the cell “Choose a model” first.")
        return self._model

    @cell
    def import_model(self, *, model_name: str, dfl_model: str, dfl_folder: str) -> None:
        """Make a model of DeepFaceLab's files; what was imported already is left as it is."""
        from dflcolab.pipeline.model import model, not_imported
        from dflcolab.training.config import ModelConfig

        self._model = self._chosen(model_name)
        model_name = self._model.name
        if not self._model.is_new:
            show_text(f"There is a model {model_name} already; training goes on with it.")
            return
        folders = self._given_paths(dfl_folder)
        if not folders and not not_imported(self.workspace):
            show_text(
                "There is no model of DeepFaceLab in the workspace; training begins a new one. Give "
                "the folder with its files, or a workspace that has them as `existing_workspace`."
            )
            return
        config = ModelConfig(
            action="import",
            model=dfl_model.strip() or None,
            from_=folders[0] if folders else None,
            as_=model_name,
        )
        show_report(model(self.workspace, config, progress=self.progress))
        self._model = self._chosen(model_name)
        self._copy()

    @awaited_cell
    async def choose_model(
        self,
        *,
        model_name: str,
        preset: str,
        arch: str,
        pretrain_minutes: float,
        pretrain_iterations: int,
        faceset: str,
    ) -> None:
        """Say which model the cells below work on, and give a new one a start if that is wished."""
        workspace, name = self.workspace, model_name.strip()
        self._model = choice = choose_model(
            workspace, name, preset=preset, arch=arch, fitting=self._fitting_preset()
        )
        running = Job.running_in(workspace.root)
        if running is not None and running.name == name and running.verb in ("train", "pretrain"):
            if running.verb == "pretrain":
                await self._train_in_a_job("pretrain", PretrainConfig(model=name))
            else:
                show_text(f"{running.title()} is running; the cell “Train” shows it.")
            return
        show_text(choice.sentence)
        state = newest_state(workspace.model_dir(name))
        if state is not None and not state.get("pretraining"):
            show_text("It was trained already, so nothing is pretrained.")
            return
        if not pretrain_minutes and not pretrain_iterations:
            show_text("Pretraining is left out, as chosen.")
            return
        time_of = PretrainingTime(workspace, name)
        left_s = seconds_left(pretrain_minutes, time_of.seconds(state))
        if left_s == 0 or (
            state is not None and 0 < pretrain_iterations <= int(state["iteration"])
        ):
            show_text("Its pretraining is done; the cell “Train” goes on from there.")
            return
        given = self._given_source(faceset)
        config = PretrainConfig(
            model=name,
            arch=choice.arch,  # pyright: ignore[reportArgumentType]
            preset=choice.preset,  # pyright: ignore[reportArgumentType]
            deadline=None if left_s is None else _seconds(left_s),
            target_iter=pretrain_iterations or None,
            faceset=() if given is None else (given,),
            remote=self._copies_address(),
        )
        rules.require_choice(workspace, self.where)
        time_of.begin(state)
        await self._train_in_a_job("pretrain", config)

    @awaited_cell
    async def train(
        self,
        *,
        train_minutes: float,
        target_iterations: int,
        end_when: str,
        options: str,
        copy_every_minutes: float,
        choose_more_options: bool = False,
    ) -> None:
        """Train the chosen model, or go on; copies of the saved state go to the storage meanwhile."""
        choice = self.model
        is_new = not self._has_checkpoint(choice.name)
        config = TrainConfig(
            model=choice.name,
            # A model that exists, by pretraining perhaps, keeps its sizes.
            arch=choice.arch if is_new else None,  # pyright: ignore[reportArgumentType]
            preset=choice.preset if is_new else None,  # pyright: ignore[reportArgumentType]
            deadline=duration(train_minutes),
            target_iter=target_iterations or None,
            stop_on=_WISHES[one_of("end_when", end_when, _WISHES)],  # pyright: ignore[reportArgumentType]
            set=tuple(options.split()),
            remote=self._copies_address(),
            push_minutes=copy_every_minutes,
        )
        if choose_more_options and Job.running_in(self.workspace.root) is None:
            config = await self._with_more_options(config)
        end = await self._train_in_a_job("train", config)
        with stop_button(self.progress):
            if end.report.get("stopped_because") == "deadline" and train_minutes:
                show_text(
                    f"The {train_minutes:g} minutes of this run are over. Run the cell again to go on; with "
                    "train_minutes = 0 it trains until you stop it or the held-out faces get worse."
                )
            self._show_training_report(choice.name)
            self._offer_way_back(choice.name)

    @cell
    def tune(self, *, model_name: str, checkpoint: str = "latest") -> None:
        """Show the merge tuner; what is saved in it is in `merge.toml`, which merging reads."""
        from IPython.display import display

        from dflcolab.merging.config import MergeConfig
        from dflcolab.widgets.tuner import merge_tuner

        name = self._model_at_hand(model_name)
        config = MergeConfig(model=name, checkpoint=checkpoint.strip())  # pyright: ignore[reportArgumentType]
        display(merge_tuner(self.workspace, config, progress=self.progress, where=self.where))

    @awaited_cell
    async def merge(
        self,
        *,
        model_name: str,
        merge_options: str,
        show_tuner: bool = False,
        merge_into: str = VIDEO,
        checkpoint: str = "latest",
    ) -> None:
        """Put the trained face into the dst frames, or show the tuner for their look instead."""
        one_of("merge_into", merge_into, MERGE_INTO)
        if show_tuner:
            self.tune(model_name=model_name, checkpoint=checkpoint)
            return
        from dflcolab.merging.config import MergeConfig

        video = merge_into != SINGLE_FRAMES and self._can_merge_straight()
        config = MergeConfig(
            model=self._model_at_hand(model_name),
            checkpoint=checkpoint.strip(),  # pyright: ignore[reportArgumentType]
            set=tuple(merge_options.split()),
            video=video,
            encode=("lossless=true",) if video and merge_into == LOSSLESS_VIDEO else (),
        )
        await self._show_job("merge", config)
        with stop_button(self.progress):
            show_merged(self.workspace)
            self._copy()

    @cell
    def encode(self, *, lossless: bool, download_result: bool = False) -> None:
        """Make the video, if the merge has not done so; show it, and say where it is."""
        from dflcolab.media.config import EncodeConfig
        from dflcolab.pipeline.encode import encode
        from dflcolab.pipeline.merged_straight import merged_straight, straight_results

        result = self.workspace.result_path()
        if merged_straight(self.workspace):
            videos = straight_results(self.workspace)
            show_made_by_merge(videos)
            result = videos[0]
            if lossless:
                show_text(
                    f"lossless counts for {SINGLE_FRAMES}; take “{LOSSLESS_VIDEO}” in the cell “Merge” instead."
                )
        else:
            config = EncodeConfig(lossless=lossless)
            show_report(encode(self.workspace, config, progress=self.progress))
        if result.exists():
            show_video(result)
        self._copy()
        if result.exists():
            storage = self._storage
            copy = None if storage is None else storage.place_of(self.workspace, result.name)
            show_where(result, copy)
            if download_result:
                download(result, self.where)

    def _fitting_preset(self) -> Preset:
        return fitting_preset(self.runtime.machine, sample=self.workspace.root.name == SAMPLE)

    def _chosen(self, name: str) -> ModelChoice:
        """The model of a name as it is, or a new one that fits the machine."""
        return choose_model(
            self.workspace, name, preset=AUTO, arch="saehd", fitting=self._fitting_preset()
        )

    def _model_at_hand(self, name: str) -> str:
        """The given one, else the chosen one, else the one trained last; said if it was not given."""
        if name.strip():
            return name.strip()
        found = trained_last(self.workspace) if self._model is None else self._model.name
        show_text(f"The model is {found}.")
        return found

    def _export_model(self, kind: str, checkpoint: str) -> None:
        """Write the model for another program: onto the storage, else into the workspace."""
        from dflcolab.pipeline.model import model
        from dflcolab.pipeline.model_files import ExportReport
        from dflcolab.training.config import ModelConfig

        one_of("export_model_as", kind, EXPORTS)
        workspace, storage = self.workspace, self._storage
        name = self._model_at_hand("")
        hidden = workspace.root / ".export"  # does not travel with the copies
        config = ModelConfig(
            action="export",
            model=name,
            checkpoint=checkpoint.strip(),  # pyright: ignore[reportArgumentType]
            format=EXPORTS[kind],
            out=None if storage is None else hidden,
        )
        hidden.mkdir(exist_ok=True)
        try:
            found = model(workspace, config, progress=self.progress)
            assert isinstance(found, ExportReport)
            show_report(found)
            if storage is not None:
                title = f"{name} {found.iteration} for {kind}"
                with self._copying():
                    placed = place_on_storage(
                        found.files, storage.address(workspace) / "exported" / title
                    )
                show_text(f"The files are in {placed}.")
        finally:
            shutil.rmtree(hidden, ignore_errors=True)

    def _show_training_report(self, name: str) -> None:
        """What the watch saw of the model, as a page below the cell."""
        from dflcolab.faceset.report_config import ReportConfig
        from dflcolab.pipeline.report import report

        found = report(
            self.workspace,
            # The report on the faces keeps its own page.
            ReportConfig(
                about="training",
                model=name,
                html=self.workspace.history_dir / f"training-{name}.html",
            ),
            progress=self.progress,
        )
        show_page(found.html)

    def _offer_way_back(self, name: str) -> None:
        """A button where an earlier state is the better one; it works when the cell has ended."""
        if not self._draws_widgets():
            return
        from IPython.display import display

        from dflcolab.widgets.way_back import way_back

        offer = way_back(self.workspace, name)
        if offer is not None:
            display(offer)


def duration(minutes: float) -> str | None:
    """Minutes as a deadline; None for 0."""
    return _seconds(60 * minutes) if minutes else None


def _seconds(seconds: float) -> str:
    return f"{max(1, round(seconds))}s"
