"""Options of the demo; light, since the command line builds its help from them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from dflcolab.config import Config, option
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.settings import RightsBasis

RIGHTS_NOTE = "Sample clips shipped with dflcolab: src under the Pexels licence, dst under MIT."


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


def sample_workspace() -> InitConfig:
    """What `init` needs to make a workspace of the shipped clips, their rights recorded."""
    clips = Path(str(files("dflcolab") / "assets" / "demo"))
    return InitConfig(
        src=(clips / "studio_woman.mp4",),
        dst=(clips / "webcam_man.mp4",),
        name="demo",
        src_rights=RightsBasis.LICENSED,
        dst_rights=RightsBasis.LICENSED,
        note=RIGHTS_NOTE,
    )
