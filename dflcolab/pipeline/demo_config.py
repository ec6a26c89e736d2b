"""Options of the demo; light, since the command line builds its help from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dflcolab.config import Config, option


@dataclass(frozen=True, kw_only=True)
class DemoConfig(Config):
    """What the demo may spend and where it leaves its results."""

    out: Path = Path("demo")
    """Folder of the demo's workspace and results. Started again on the same folder, the demo goes
    on where it stopped."""

    iterations: int | None = option(None, low=1)
    """Train for this many iterations (and pretrain for a fifth of them) instead of for `minutes`.
    For tests; the picture gets better with every thousand."""

    minutes: float = option(6.4, low=0.1, high=600)
    """Minutes of training, pretraining included. The default keeps the whole demo under eight
    minutes on two CPU cores; a GPU does many more iterations in the same time."""
