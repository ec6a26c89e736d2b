# pyright: strict
"""Options of `sync`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dflcolab.config import Config, option


@dataclass(frozen=True, kw_only=True)
class SyncConfig(Config):
    """Where the workspace is copied to or from, what is left out, and which copies are kept."""

    action: Literal["push", "pull", "status", "log", "restore", "verify", "prune"]
    """push copies the workspace to the remote; pull brings the newest whole copy here, restore the one that --generation names; status and log tell what the remote holds; verify reads every byte of it; prune removes old copies."""

    remote: str = option("")
    """A folder (for example on a mounted Drive) or an fsspec address such as gs://bucket/folder. Once given it is remembered in workspace.toml."""

    generation: str = option("")
    """Number or name of the copy to pull, restore or verify, as log lists them; otherwise the newest whole one."""

    every: bool = option(False)
    """Verify all copies, not only one. What several copies share is read once."""

    merged: bool = option(False)
    """Copy merged frames too. They are many and large; leave them out when result.mp4 is there."""

    keep_last: int = option(3, low=1, high=1000)
    """Copies that stay in any case, the newest first. More copies need more room."""

    keep_best: bool = option(True)
    """Keep the copy with the best held-out loss of each model too."""

    keep_days: int = option(7, low=0, high=365)
    """Keep the newest copy of each of so many days too."""

    budget_gb: float = option(0.0, low=0.0)
    """Room that all copies together may take; older ones go until they fit, but never the newest that is proven. 0 sets no limit."""

    prune: bool = option(True)
    """After a push, remove copies that the options above do not keep."""

    take_over: bool = option(False)
    """Write although another machine seems to be writing; only when you know that it has ended."""

    dry_run: bool = option(False)
    """Say what push, pull, restore or prune would do, and do nothing."""
