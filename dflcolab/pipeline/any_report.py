# pyright: strict
"""`report` as the command line calls it: the page, two models, a time-lapse, or a file's origin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dflcolab.faceset.report_config import ReportConfig
from dflcolab.pipeline.report import Report, report
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Workspace

if TYPE_CHECKING:
    from dflcolab.pipeline.compare import ComparisonReport
    from dflcolab.pipeline.provenance_report import ProvenanceReport
    from dflcolab.pipeline.timelapse import TimelapseReport


def any_report(
    workspace: Workspace | Path, config: ReportConfig, *, progress: Progress | None = None
) -> Report | ComparisonReport | TimelapseReport | ProvenanceReport:
    """What was asked for.

    Args:
        workspace: It or its folder; for the origin of a file it need not exist.
        config: What is looked at.
        progress: Shown to the user.

    Raises:
        DFLColabError: As those four say.
    """
    if config.provenance is not None:
        from dflcolab.pipeline.provenance_report import provenance_report

        return provenance_report(config.provenance)
    if isinstance(workspace, Path):
        workspace = Workspace.open(workspace)
    if config.compare:
        # Only here: it loads TensorFlow.
        from dflcolab.pipeline.compare import compare_models

        return compare_models(workspace, config, progress=progress)
    if config.timelapse:
        from dflcolab.pipeline.timelapse import timelapse

        return timelapse(workspace, config.timelapse, progress=progress)
    return report(workspace, config, progress=progress)
