"""Looking through the faces of a side: the gallery, and below it the editor of wrong landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets

from dflcolab.progress import Progress
from dflcolab.widgets.gallery_answers import Correct
from dflcolab.widgets.gallery_desk import GalleryDesk
from dflcolab.widgets.landmark_editor import landmark_editor
from dflcolab.workspace.workspace import Side, Workspace


def face_review(workspace: Workspace, side: Side) -> Any:
    """The gallery of a side; faces that are selected in it can be given to the landmark editor.

    Without the library anywidget both are made of plain ipywidgets, with lists of names and points as text.

    Args:
        workspace: Where the faces are, loose or packed (a pack can be looked at only).
        side: Whose faces.

    Raises:
        FacesetError: There are no faces, or another program changes them just now.
        FormatError: The pack is damaged.
    """
    place = ipywidgets.VBox([])

    def correct(names: Sequence[str], progress: Progress) -> None:
        editor = landmark_editor(
            workspace, side, names=names, progress=progress, changed=gallery.reload
        )
        place.children = (editor,)

    gallery = _gallery(GalleryDesk(workspace, side), correct)
    return ipywidgets.VBox([gallery, place])


def _gallery(desk: GalleryDesk, correct: Correct) -> Any:
    try:
        from dflcolab.widgets.gallery_anywidget import FaceGallery
    except ImportError:
        from dflcolab.widgets.gallery_plain import PlainGallery

        return PlainGallery(desk, correct=correct)
    return FaceGallery(desk, correct=correct)
