# pyright: strict
"""`report` as the command line calls it: the page, a comparison of two models, or a time-lapse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dflcolab.faceset.report_config import ReportConfig
from dflcolab.pipeline.report import Report, report
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Workspace

if TYPE_CHECKING:
    from dflcolab.pipeline.compare import ComparisonReport
    from dflcolab.pipeline.timelapse import TimelapseReport


def any_report(
    workspace: Workspace, config: ReportConfig, *, progress: Progress | None = None
) -> Report | ComparisonReport | TimelapseReport:
    """What was asked for.

    Raises:
        DFLColabError: As the three say.
    """
    if config.compare:
        # Only here: it loads TensorFlow.
        from dflcolab.pipeline.compare import compare_models

        return compare_models(workspace, config, progress=progress)
    if config.timelapse:
        from dflcolab.pipeline.timelapse import timelapse

        return timelapse(workspace, config.timelapse, progress=progress)
    return report(workspace, config, progress=progress)
