# pyright: strict
"""Options of `report`: on facesets and trainings, on two models, as a video, on a file's origin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dflcolab.config import Config, option
from dflcolab.errors import ConfigError
from dflcolab.workspace.workspace import Side


@dataclass(frozen=True, kw_only=True)
class ReportConfig(Config):
    """What the report looks at, and where it is written. It changes no face and no model."""

    about: Literal["all", "faces", "training"] = "all"
    """faces: the facesets and how they fit. training: what the watch saw of the models, in a second.
    all: both."""

    side: Side | None = option(None)
    """Look at one side only: src or dst. Both, and how they fit together, unless you name one."""

    model: str | None = option(None)
    """Report on the training of this model only. Of all models unless you name one."""

    compare: tuple[str, ...] = ()
    """Two models beside each other on the same held-out faces: names of models of this workspace, or
    paths such as ../other/model/NAME. Each with its best checkpoint."""

    timelapse: str | None = option(None)
    """Write the previews of this model one after the other as a video,
    history/<model>/timelapse.mp4, instead of a page."""

    provenance: Path | None = option(None)
    """Read the signed note of this video or picture instead: whether it says that the file is synthetic,
    and whether the file was changed since. Needs no workspace."""

    html: Path | None = option(None)
    """Where the page goes. history/report.html in the workspace (comparisons:
    history/compare-A-B.html) unless you name a file; the numbers go beside it as .json."""

    sample: int = option(2000, low=0, high=1000000, advanced=True)
    """Faces per side, evenly spread, whose identity and landmarks are looked at with networks (about 20 ms each). 0 leaves both out."""

    faces: int = option(64, low=8, high=100000, advanced=True)
    """compare: held-out faces per side, evenly spread, that both models paint."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.compare and len(self.compare) != 2:
            raise ConfigError(
                f"compare takes two models and got {len(self.compare)}; write --compare A B."
            )
        if self.compare and self.timelapse:
            raise ConfigError("compare and timelapse are two things; ask for one at a time.")
