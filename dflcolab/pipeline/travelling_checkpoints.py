"""Which checkpoints of a workspace travel: of each model the latest, and the best one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dflcolab.engine.checkpoint import MARKER, SCORED_BY, Checkpoint, best_of, list_checkpoints
from dflcolab.errors import DFLColabError
from dflcolab.sync.manifest import ModelFacts
from dflcolab.sync.travelling import SourceChangedError
from dflcolab.workspace.workspace import Workspace


@dataclass(frozen=True)
class TravellingCheckpoints:
    """The choice, made once, so that a copy holds what its list says while training goes on.

    Attributes:
        by_model: Name of a model to its checkpoints that travel, the latest one last.
    """

    by_model: Mapping[str, tuple[Checkpoint, ...]]

    @classmethod
    def of(cls, workspace: Workspace) -> TravellingCheckpoints:
        """Those that are complete now."""
        found: dict[str, tuple[Checkpoint, ...]] = {}
        for folder in workspace.model_dirs():
            checkpoints = list_checkpoints(folder)
            if checkpoints:
                names = {best_of(checkpoints), checkpoints[-1].folder.name}
                found[folder.name] = tuple(c for c in checkpoints if c.folder.name in names)
        return cls(found)

    @property
    def paths(self) -> set[str]:
        """Their folders below the workspace."""
        return {
            f"model/{model}/{checkpoint.folder.name}"
            for model, checkpoints in self.by_model.items()
            for checkpoint in checkpoints
        }

    @property
    def are_there(self) -> bool:
        """False once training has removed one of them."""
        return all(
            (checkpoint.folder / MARKER).is_file()
            for checkpoints in self.by_model.values()
            for checkpoint in checkpoints
        )

    def keeps(self, path: str) -> bool:
        """True for a file of `model/` that travels."""
        parts = path.split("/")
        if len(parts) > 3 and parts[2].startswith("ckpt-"):
            return "/".join(parts[:3]) in self.paths
        return True

    def facts(self) -> list[ModelFacts]:
        """How far each model is.

        Raises:
            SourceChangedError: A checkpoint went meanwhile; choose anew.
        """
        if not self.are_there:
            raise SourceChangedError("model")
        return [_facts(model, checkpoints[-1]) for model, checkpoints in self.by_model.items()]


def _facts(model: str, checkpoint: Checkpoint) -> ModelFacts:
    state: dict[str, Any]
    try:
        state = checkpoint.state()
    except DFLColabError:
        state = {}
    loss, by = state.get("held_out_loss"), state.get(SCORED_BY)
    return ModelFacts(
        name=model,
        iteration=checkpoint.iteration,
        held_out_loss=float(loss) if isinstance(loss, (int, float)) else None,
        pretraining=state.get("pretraining") is True,
        scored_by=by if isinstance(by, str) else None,
    )
