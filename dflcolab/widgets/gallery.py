"""The face gallery for notebooks: all faces of a side, to look at, select, delete and bring back."""

from __future__ import annotations

from typing import Any

from dflcolab.widgets.gallery_desk import GalleryDesk
from dflcolab.workspace.workspace import Side, Workspace


def face_gallery(workspace: Workspace, side: Side) -> Any:
    """A widget with the faces of a side.

    Without the library anywidget it is made of plain ipywidgets, a page of faces at a time.

    Args:
        workspace: Where the faces are, loose or packed (a pack can be looked at only).
        side: Whose faces.

    Raises:
        FacesetError: There are no faces, or another program changes them just now.
        FormatError: The pack is damaged.
    """
    desk = GalleryDesk(workspace, side)
    try:
        from dflcolab.widgets.gallery_anywidget import FaceGallery
    except ImportError:
        from dflcolab.widgets.gallery_plain import plain_gallery

        return plain_gallery(desk)
    return FaceGallery(desk)
