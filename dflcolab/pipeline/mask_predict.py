"""The faces of a side with what a network says of them: for `apply`, guessed outlines and `next`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from dflcolab.arrays import Image, Mask
from dflcolab.errors import DFLColabError
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faceset.face_source import FaceSource
from dflcolab.progress import Progress
from dflcolab.xseg.predictor import MaskPredictor, mask_of_face, network_input

_BATCH = 8


@dataclass(frozen=True, eq=False)
class PredictedFace:
    """One face and its mask.

    Attributes:
        path: As `FaceSource` names it.
        record: Its metadata.
        picture: `[H, W, 3]`, uint8, BGR.
        raw: What the network says in its own crop, `[256, 256, 1]` in 0..1.
        mask: That in the face's crop, cut at one half, `[256, 256, 1]` of 0 and 1.
        mirrored: What it says of the mirrored face, mirrored back, as `raw`; None if nobody asked.
    """

    path: Path
    record: FaceRecord
    picture: Image
    raw: Mask
    mask: Mask
    mirrored: Mask | None = None


def predicted_faces(
    faces: FaceSource,
    paths: Sequence[Path],
    predictor: MaskPredictor,
    *,
    progress: Progress,
    problems: list[str],
    batch: int | None = None,
    mirrored: bool = False,
) -> Iterator[PredictedFace]:
    """Show faces to the network; those that cannot be read become problems.

    Args:
        faces: Where they are.
        paths: Which of them.
        predictor: The network.
        progress: Shows the work and carries the wish to stop.
        problems: Gets a sentence per face that is left out.
        batch: Faces at once; None: 8.
        mirrored: Also ask for the mirrored face, which takes twice as long.

    Raises:
        Interrupted: The user asked to stop.
    """

    def prepare(path: Path) -> tuple[Path, FaceRecord, Image, Image] | str:
        file = faces.read(path)
        if file.problem or file.record is None:
            return file.problem or f"{path} has no face metadata and so no mask."
        try:
            picture = file.decode()
            return (
                path,
                file.record,
                picture,
                network_input(picture, file.record, predictor.face_type),
            )
        except DFLColabError as error:
            return str(error)

    waiting = iter(paths)
    with (
        progress.task("Masking faces", total=len(paths), unit="faces") as task,
        ThreadPoolExecutor(os.cpu_count() or 1) as pool,
    ):
        while chosen := list(islice(waiting, batch or _BATCH)):
            progress.raise_if_stopped()
            made = list(pool.map(prepare, chosen))
            problems += [problem for problem in made if isinstance(problem, str)]
            ready = [face for face in made if not isinstance(face, str)]
            if ready:
                inputs = np.stack([shown for *_, shown in ready]).astype(np.float32) / 255
                raws = predictor.predict(inputs)
                others = predictor.predict(inputs[:, :, ::-1])[:, :, ::-1] if mirrored else raws
                for (path, record, picture, _), raw, other in zip(ready, raws, others, strict=True):
                    own = mask_of_face(raw, record, predictor.face_type, picture.shape[1])
                    yield PredictedFace(
                        path, record, picture, raw, own, other if mirrored else None
                    )
            task.advance(len(chosen))
