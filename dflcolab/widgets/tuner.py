"""The merge tuner for notebooks: a look is tried on single frames and saved as `merge.toml`."""

from __future__ import annotations

from typing import Any

from dflcolab.merging.config import MergeConfig
from dflcolab.pipeline.merge_tuning import open_tuning
from dflcolab.progress import Progress
from dflcolab.runtime.where import Where
from dflcolab.widgets.tuner_desk import TunerDesk
from dflcolab.widgets.tuner_panel import TunerPanel
from dflcolab.widgets.tuner_view import PlainView, TunerView
from dflcolab.workspace.workspace import Workspace


def merge_tuner(
    workspace: Workspace,
    config: MergeConfig,
    *,
    progress: Progress | None = None,
    where: Where | None = None,
) -> Any:
    """A widget in which a look is tried on frames with faces and saved.

    Without the library anywidget, before and after stand side by side.

    Args:
        workspace: Its dst footage, dst faces and model are read; `merge.toml` is written.
        config: Which state of which model, whose XSeg model.
        progress: Shows what opening it takes and carries the wish to stop.
        where: Kind of place; found out when None.

    Raises:
        DFLColabError: As `open_tuning`.
    """
    desk = TunerDesk(open_tuning(workspace, config, progress=progress, where=where))
    return TunerPanel(desk, _view()).box


def _view() -> TunerView:
    try:
        from dflcolab.widgets.tuner_anywidget import BeforeAfter
    except ImportError:
        return PlainView()
    return BeforeAfter()
