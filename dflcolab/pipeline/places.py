"""Where a run of a model reads and writes."""

from __future__ import annotations

from dflcolab.training.run import Places
from dflcolab.workspace.workspace import Workspace


def places_of(workspace: Workspace, model: str) -> Places:
    """Where a run of a model reads and writes."""
    return Places(
        model_dir=workspace.model_dir(model),
        history_dir=workspace.history_dir / model,
        stop_file=workspace.root / "STOP",
        cache_dir=workspace.root / ".cache",
    )
