"""The mask editor for notebooks: outlines of faces, drawn in the page and saved at once."""

from __future__ import annotations

from typing import Any

from dflcolab.progress import Progress
from dflcolab.widgets.mask_editor_desk import MaskDesk
from dflcolab.widgets.mask_editor_files import MaskFiles
from dflcolab.widgets.mask_editor_order import Suggestions
from dflcolab.widgets.mask_editor_overlays import Predictor
from dflcolab.workspace.workspace import Side, Workspace


def mask_editor(
    workspace: Workspace, side: Side, *, model: str = "xseg", progress: Progress | None = None
) -> Any:
    """A widget that shows the faces of a side and lets their outlines be drawn.

    Without the library anywidget it is made of plain ipywidgets, with the outlines as text.

    Args:
        workspace: Where the faces are.
        side: Whose faces.
        model: Name of the XSeg model that predictions and guesses come from, once there is one.
        progress: Shows the reading of the faces and carries the wish to stop.

    Raises:
        FacesetError: There are no faces, or they are packed.
        WorkspaceError: The side's folder is missing, or `model` cannot be a name.
        Interrupted: The user asked to stop.
    """
    desk = open_desk(workspace, side, model=model, progress=progress)
    try:
        from dflcolab.widgets.mask_editor_anywidget import MaskEditor
    except ImportError:
        from dflcolab.widgets.mask_editor_plain import plain_editor

        return plain_editor(desk)
    return MaskEditor(desk)


def open_desk(
    workspace: Workspace, side: Side, *, model: str = "xseg", progress: Progress | None = None
) -> MaskDesk:
    """What the widget works on; arguments and errors as for `mask_editor`."""
    predictor = Predictor(workspace.model_dir(model))
    files = MaskFiles(workspace, side, progress=progress or Progress())
    return MaskDesk(files, predictor, Suggestions(workspace, side, model))
