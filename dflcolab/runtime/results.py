"""The results of the verbs inside a notebook page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dflcolab.arrays import Image
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
    """Some merged frames, evenly from the first to the last, whichever way they were merged."""
    from dflcolab.pipeline.merged_straight import merged_straight, straight_results

    if merged_straight(workspace):
        images = _frames_of(straight_results(workspace)[0])
    else:
        frames = list_frames(workspace.merged_dir)
        images = (read_image(frames[index]) for index in _evenly(len(frames), _FRAMES))
    sheet = contact_sheet(images, columns=3, width=320)
    if sheet is not None:
        show_picture(sheet)


def _frames_of(video: Path) -> Iterator[Image]:
    """Some frames of a video, without decoding all of it."""
    from dflcolab.media.frame_seek import FrameSeeker
    from dflcolab.media.probe import probe

    seeker = FrameSeeker(video)
    for index in _evenly(probe(video).n_frames_estimate, _FRAMES):
        image = seeker.image(index)
        if image is not None:
            yield image


def show_made_by_merge(videos: Sequence[Path]) -> None:
    """Videos that need no `encode`, and whether their signed notes hold."""
    from dflcolab.pipeline.provenance_report import provenance_report

    for video in videos:
        note = provenance_report(video)
        text = f"{video.name} was made by the merge, straight from the dst video. {note.text}"
        if not note.synthetic:
            text += " Run the cell “Merge” again to write it anew."
        show_text(text)


def _evenly(total: int, wanted: int) -> list[int]:
    """At most `wanted` different indices below `total`, first and last among them."""
    if total == 0:
        return []
    return np.unique(np.linspace(0, total - 1, wanted).round().astype(int)).tolist()
