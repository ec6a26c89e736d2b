"""Training jobs in a cell: started or found again, shown, and waited for."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from dflcolab.errors import JobError
from dflcolab.runtime.job import Job, JobEnd
from dflcolab.runtime.show import show_text
from dflcolab.runtime.supervise import View, hears_buttons, supervise
from dflcolab.runtime.where import Where
from dflcolab.workspace.workspace import Workspace

if TYPE_CHECKING:
    from dflcolab.config import Config
    from dflcolab.training.config import TrainConfig


async def run_training_job(
    workspace: Workspace, verb: str, config: TrainConfig, *, where: Where
) -> JobEnd:
    """Train in a process of its own and show it until it ends.

    If this very training runs already (the page was opened anew, the kernel was restarted), it is
    shown instead; it keeps the options that it was started with.

    Args:
        workspace: Its `model/` and `history/` are written.
        verb: "train" or "pretrain".
        config: Its options.
        where: Kind of place.

    Raises:
        JobError: Something else runs in the workspace, or the process ended without a word.
        DFLColabError: Training failed, with its sentence.
        Interrupted: It was stopped and has saved.
    """
    job = _joined_or_started(workspace, verb, config, where)
    return await supervise(job, _view(job, workspace, where), where=where)


async def run_job(workspace: Workspace, verb: str, config: Config, *, where: Where) -> JobEnd:
    """Run another verb in a process of its own and show its progress as text until it ends.

    If it runs already, it is shown instead.

    Raises:
        JobError: Something else runs in the workspace, or the process ended without a word.
        DFLColabError: It failed, with its sentence.
        Interrupted: It was stopped at a safe point.
    """
    from dflcolab.widgets.monitor_plain import PlainMonitor

    job = _joined_or_started(workspace, verb, config, where)
    return await supervise(job, PlainMonitor(job, workspace), where=where)


def _joined_or_started(workspace: Workspace, verb: str, config: Config, where: Where) -> Job:
    """The job that does this already, with a word about it, or a new one.

    Raises:
        JobError: Something else runs in the workspace.
    """
    job = Job.running_in(workspace.root)
    if job is None:
        return Job.start(workspace.root, verb, config, where=where)
    if not job.does(verb, config):
        raise JobError(job.busy_sentence())
    show_text(f"{job.title()} is running already and goes on with the options it was started with.")
    return job


def _view(job: Job, workspace: Workspace, where: Where) -> View:
    """The monitor for this kind of page, displayed."""
    if where.widgets_generation is None or not importlib.util.find_spec("ipywidgets"):
        from dflcolab.widgets.monitor_plain import PlainMonitor

        return PlainMonitor(job, workspace)
    from IPython.display import display

    from dflcolab.widgets.monitor import TrainMonitor

    monitor = TrainMonitor(job, workspace, buttons=hears_buttons(where))
    display(monitor.box)
    return monitor
