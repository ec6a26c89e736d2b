"""The landmark editor for notebooks: points of wrong faces are moved on the frame they came from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dflcolab.progress import Progress
from dflcolab.widgets.landmark_editor_desk import LandmarkDesk
from dflcolab.workspace.workspace import Side, Workspace


def landmark_editor(
    workspace: Workspace,
    side: Side,
    *,
    names: Sequence[str] | None = None,
    progress: Progress | None = None,
    changed: Callable[[], None] = lambda: None,
) -> Any:
    """A widget that shows faces in their frames and lets their landmarks be moved.

    Saving cuts the face out of its frame anew. Without the library anywidget it is made of plain
    ipywidgets, with the points as text.

    Args:
        workspace: Where the faces and their frames are.
        side: Whose faces.
        names: Only these face files, in this order; all of the side if None.
        progress: Shows the reading of the faces and carries the wish to stop.
        changed: Called after face files were changed.

    Raises:
        FacesetError: There are no faces, they are packed, or a name is none of theirs.
        WorkspaceError: The side's folder is missing.
        MediaError: A video is none.
        Interrupted: The user asked to stop.
    """
    desk = LandmarkDesk(workspace, side, names=names, progress=progress)
    try:
        from dflcolab.widgets.landmark_editor_anywidget import LandmarkEditor
    except ImportError:
        from dflcolab.widgets.landmark_editor_plain import PlainLandmarkEditor

        return PlainLandmarkEditor(desk, changed=changed)
    return LandmarkEditor(desk, changed=changed)
