"""The results of the verbs inside a notebook page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dflcolab.config import to_plain
from dflcolab.engine.checkpoint import PREVIEW, list_checkpoints
from dflcolab.faceset.faceset import load_faceset
from dflcolab.media.frame_sequence import list_frames, read_image
from dflcolab.runtime.job import JobEnd
from dflcolab.runtime.show import contact_sheet, show_picture, show_text
from dflcolab.workspace.workspace import Side, Workspace

_FACES = 32
_FRAMES = 6


def show_report(report: Any) -> None:
    """A verb's report: its own summary, or its fields."""
    summary = getattr(report, "summary", None)
    if callable(summary):
        show_text(str(summary()))
        return
    _show_fields(to_plain(report))


def show_end(end: JobEnd) -> None:
    """The report of a verb that ran in a process of its own."""
    if end.summary:
        show_text(end.summary)
    else:
        _show_fields(end.report)


def _show_fields(plain: Mapping[str, Any]) -> None:
    lines = [
        f"{name.replace('_', ' ')}: {value}"
        for name, value in plain.items()
        if value not in (None, [], {}, "")
    ]
    show_text("\n".join(lines))


def show_faces(workspace: Workspace, side: Side) -> None:
    """Some faces of a side, evenly from the first to the last."""
    faces = load_faceset(workspace.aligned_dir(side))
    sheet = contact_sheet(image for _, image in faces.decode_many(_evenly(len(faces), _FACES)))
    if sheet is not None:
        show_picture(sheet)


def show_preview(workspace: Workspace, model_name: str) -> None:
    """The preview of the newest checkpoint that has one."""
    for checkpoint in reversed(list_checkpoints(workspace.model_dir(model_name))):
        path = checkpoint.folder / PREVIEW
        if path.exists():
            show_picture(read_image(path))
            return


def show_merged(workspace: Workspace) -> None:
    """Some merged frames, evenly from the first to the last."""
    frames = list_frames(workspace.merged_dir)
    chosen = _evenly(len(frames), _FRAMES)
    sheet = contact_sheet((read_image(frames[index]) for index in chosen), columns=3, width=320)
    if sheet is not None:
        show_picture(sheet)


def _evenly(total: int, wanted: int) -> list[int]:
    """At most `wanted` different indices below `total`, first and last among them."""
    if total == 0:
        return []
    return np.unique(np.linspace(0, total - 1, wanted).round().astype(int)).tolist()
