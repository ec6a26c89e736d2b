# pyright: strict
"""Options of `sync`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dflcolab.config import Config, option


@dataclass(frozen=True, kw_only=True)
class SyncConfig(Config):
    """Where the workspace is copied to or from, and what is left out."""

    action: Literal["push", "pull", "status", "verify"]
    """push copies the workspace to the remote, pull brings the newest good copy back, status lists the copies, verify reads every byte of the newest one."""

    remote: str
    """A folder (for example on a mounted Drive) or an fsspec address such as gs://bucket/folder."""

    generation: int | None = option(None, low=1)
    """Pull this copy instead of the newest good one. status lists the numbers."""

    merged: bool = option(False)
    """Copy merged frames too. They are many and large; leave them out when result.mp4 is there."""

    dry_run: bool = option(False)
    """Say what push would copy, and copy nothing."""
