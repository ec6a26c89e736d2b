# pyright: strict
"""Options of `report`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dflcolab.config import Config, option
from dflcolab.workspace.workspace import Side


@dataclass(frozen=True, kw_only=True)
class ReportConfig(Config):
    """What the report on the facesets looks at, and where it is written. It changes no face."""

    side: Side | None = option(None)
    """Look at one side only: src or dst. Both, and how they fit together, unless you name one."""

    html: Path | None = option(None)
    """Where the page goes. history/report.html in the workspace unless you name a file; the numbers go beside it as .json."""

    sample: int = option(2000, low=0, high=1000000, advanced=True)
    """Faces per side, evenly spread, whose identity and landmarks are looked at with networks (about 20 ms each). 0 leaves both out."""
