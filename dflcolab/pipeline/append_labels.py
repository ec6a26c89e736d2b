"""Names for sets of appended photos and faces that no frame of the side begins with."""

from __future__ import annotations

from dflcolab.extraction.append_log import Appended
from dflcolab.faceset.append import label_for
from dflcolab.media.frame_sequence import list_frames
from dflcolab.workspace.workspace import Side, Workspace


class Labels:
    """What is taken on one side.

    The training keeps stretches of each video away and tells videos apart by what the names of
    their frames begin with; so no two sources may begin alike.

    Args:
        workspace: The workspace.
        side: Whose names.
        log: What was appended before.
        stems: Names of the frames of all faces, without ending.
    """

    def __init__(self, workspace: Workspace, side: Side, log: Appended, stems: set[str]) -> None:
        photos = workspace.photos_dir(side)
        folders = [path.name for path in photos.iterdir()] if photos.is_dir() else []
        self._labels = {*log.labels, *folders}
        self._beginnings = {workspace.frame_prefix(path) for path in workspace.videos(side)} - {""}
        self._stems = stems | {path.stem for path in list_frames(workspace.frames_dir(side))}

    def new(self, origin: str, kind: str) -> str:
        """A label for a set; it counts as taken from now on.

        Args:
            origin: Name of the folder or pack.
            kind: "photos" or "faces".
        """
        label = label_for(origin, kind, self._is_taken)
        self._labels.add(label)
        return label

    def _is_taken(self, label: str) -> bool:
        begin = f"{label}-"
        others = (*self._beginnings, *(f"{other}-" for other in self._labels))
        alike = any(begin.startswith(other) or other.startswith(begin) for other in others)
        return alike or any(stem.startswith(begin) for stem in self._stems)
