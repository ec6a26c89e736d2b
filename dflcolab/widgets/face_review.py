"""Looking through the faces of a side: the gallery, and below it the editor of wrong landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets

from dflcolab.progress import Progress
from dflcolab.widgets.gallery_desk import GalleryDesk
from dflcolab.widgets.landmark_editor_desk import LandmarkDesk
from dflcolab.workspace.workspace import Side, Workspace


def face_review(workspace: Workspace, side: Side) -> Any:
    """The gallery of a side; faces that are selected in it can be given to the landmark editor.

    Without the library anywidget it is the plain gallery alone.

    Args:
        workspace: Where the faces are, loose or packed (a pack can be looked at only).
        side: Whose faces.

    Raises:
        FacesetError: There are no faces, or another program changes them just now.
        FormatError: The pack is damaged.
    """
    desk = GalleryDesk(workspace, side)
    try:
        return _with_editor(desk)
    except ImportError:
        from dflcolab.widgets.gallery_plain import plain_gallery

        return plain_gallery(desk)


def _with_editor(desk: GalleryDesk) -> Any:
    from dflcolab.widgets.gallery_anywidget import FaceGallery
    from dflcolab.widgets.landmark_editor_anywidget import LandmarkEditor

    place = ipywidgets.VBox([])

    def correct(names: Sequence[str], progress: Progress) -> None:
        editing = LandmarkDesk(desk.workspace, desk.side, names=names, progress=progress)
        place.children = (LandmarkEditor(editing, changed=gallery.reload),)

    gallery = FaceGallery(desk, correct=correct)
    return ipywidgets.VBox([gallery, place])
