"""Draws `docs/images/first_swap_faces.jpg` from the workspace that `dflcolab demo` leaves.

.venv/bin/python tools/first_swap_faces.py DEMO_FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from dflcolab.arrays import Image
from dflcolab.faceset.faceset import load_faceset
from dflcolab.files import write_bytes
from dflcolab.media.frame_sequence import list_frames, read_image
from dflcolab.runtime.show import contact_sheet, small_jpeg
from dflcolab.workspace.workspace import Side, Workspace

IMAGES = Path(__file__).parents[1] / "docs" / "images"
FRAME = 30  # of dst, which is shown


def extracted(workspace: Workspace) -> Image:
    """A dst frame with landmarks, and faces of both sides."""
    frames = list_frames(workspace.debug_dir(Side.DST))
    frame = fitted(read_image(frames[FRAME]), 400)
    sheets: list[Image] = []
    for side in Side:
        faces = load_faceset(workspace.aligned_dir(side))
        chosen = np.linspace(0, len(faces) - 1, 10).round().astype(int).tolist()
        images = (image for _, image in faces.decode_many(chosen))
        sheet = contact_sheet(images, columns=5, width=100)
        assert sheet is not None
        sheets.append(sheet)
    return beside(frame, np.vstack(sheets))


def fitted(image: Image, height: int) -> Image:
    """The picture in another height."""
    width = round(image.shape[1] * height / image.shape[0])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def beside(left: Image, right: Image) -> Image:
    """Two pictures in the height of the first."""
    return np.hstack([left, fitted(right, left.shape[0])])


def main() -> None:
    """Write the picture."""
    workspace = Workspace.open(Path(sys.argv[1]))
    write_bytes(IMAGES / "first_swap_faces.jpg", small_jpeg(extracted(workspace)))


if __name__ == "__main__":
    main()
