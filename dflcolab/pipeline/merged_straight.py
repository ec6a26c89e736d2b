# pyright: strict
"""Whether the last merge went straight to the video, and what it made: nothing is left to encode then."""

from __future__ import annotations

from pathlib import Path

from dflcolab.errors import WorkspaceError
from dflcolab.merging.journal import RUN_FILE
from dflcolab.pipeline.encode_jobs import result_name
from dflcolab.workspace.workspace import VIDEO_SUFFIXES, Side, Workspace


def merged_straight(workspace: Workspace) -> bool:
    """True if the last merge that began went straight to the video rather than into pictures."""
    return _time(workspace.merged_parts_dir / RUN_FILE) > _time(workspace.merged_dir / RUN_FILE)


def straight_results(workspace: Workspace) -> list[Path]:
    """What the last merge made straight to the video: a result for each dst video.

    Raises:
        WorkspaceError: It has not finished.
    """
    began = _time(workspace.merged_parts_dir / RUN_FILE)
    found: list[Path] = []
    for video in workspace.videos(Side.DST):
        name = result_name(workspace, video)
        newest = max((workspace.root / f"{name}{suffix}" for suffix in VIDEO_SUFFIXES), key=_time)
        # A result is written last of all, so an older one is of an earlier merge.
        if _time(newest) < began:
            raise WorkspaceError(
                f"{name} is not put together yet, since the merge straight to the video has not "
                "finished; merge again to go on."
            )
        found.append(newest)
    return found


def _time(path: Path) -> int:
    """When a file was written, nanoseconds since 1970; 0 without it."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
