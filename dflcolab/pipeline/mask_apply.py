"""`mask apply`: learned masks into the face files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image
from dflcolab.errors import DFLColabError
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faceset.face_source import FaceSource, open_faces
from dflcolab.faceset.folder_lock import alone_with_faces
from dflcolab.faceset.mask_quality import BadMask, bad_masks, look_at_mask, told
from dflcolab.faceset.new_records import write_records
from dflcolab.formats.xseg_masks import encode_xseg_mask
from dflcolab.pipeline.mask_train import bring_model
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Workspace
from dflcolab.xseg.config import MaskConfig
from dflcolab.xseg.predictor import (
    MaskPredictor,
    load_mask_predictor,
    mask_of_face,
    network_input,
)

_BATCH = 8
_WRITTEN_AT_ONCE = 512


@dataclass(frozen=True)
class MaskApplyReport:
    """What `mask apply` did.

    Attributes:
        side: Whose faces.
        model: Name of the network.
        iteration: Of the checkpoint that was used.
        faces: Faces that there are.
        masked: Faces that got a mask.
        suspects: Masks that do not fit their faces (see `mask_quality`), the worst first.
        problems: Faces that got none, one sentence each.
    """

    side: str
    model: str
    iteration: int
    faces: int
    masked: int
    suspects: tuple[BadMask, ...]
    problems: tuple[str, ...]

    def summary(self) -> str:
        """The report in a few lines."""
        first = (
            f"{self.masked} of {self.faces} faces of {self.side} have masks of {self.model} "
            f"(iteration {self.iteration}) now."
        )
        return "\n".join([first, *told(self.suspects), *self.problems])


@alone_with_faces
def apply_masks(
    workspace: Workspace, config: MaskConfig, *, progress: Progress | None = None
) -> MaskApplyReport:
    """Mask all faces of a side with a trained network.

    A mask that is there is replaced; outlines stay. Pictures are not compressed again. Packs are
    written anew. Interrupted, faces done so far keep their new masks; run it again for the rest.

    Raises:
        ModelError: There is no such network.
        FacesetError: There are no faces.
        DownloadError: The network of `from_` cannot be fetched.
        StorageError: The disk is full or read-only.
        Interrupted: The user asked to stop.
    """
    progress = progress or Progress()
    assert config.side is not None
    bring_model(workspace, config, progress)
    problems: list[str] = []
    predictor = load_mask_predictor(workspace.model_dir(config.model), on_problem=problems.append)
    folder = workspace.aligned_dir(config.side)
    masked, looks = 0, []
    records: dict[Path, FaceRecord] = {}
    with open_faces(folder, progress=progress) as faces:
        problems += faces.unused
        at_once = len(faces) + 1 if faces.packed else _WRITTEN_AT_ONCE
        count = config.batch or _BATCH
        found = _predicted(faces, predictor, count, progress, problems)
        for path, record, mask, width in found:
            new = record.replace(xseg_mask=encode_xseg_mask(mask))
            records[path] = new
            looks.append(look_at_mask(faces.name(path), new, mask, width, width))
            if len(records) >= at_once:
                masked += _written(folder, records, progress, problems)
    masked += _written(folder, records, progress, problems)
    return MaskApplyReport(
        side=config.side.value,
        model=config.model,
        iteration=predictor.iteration,
        faces=len(faces),
        masked=masked,
        suspects=tuple(bad_masks(looks)),
        problems=tuple(problems),
    )


def _written(
    folder: Path, records: dict[Path, FaceRecord], progress: Progress, problems: list[str]
) -> int:
    """Write what has gathered."""
    written, failed = write_records(folder, records, progress=progress) if records else (0, [])
    problems += failed
    records.clear()
    return written


def _predicted(
    faces: FaceSource,
    predictor: MaskPredictor,
    count: int,
    progress: Progress,
    problems: list[str],
) -> Iterator[tuple[Path, FaceRecord, npt.NDArray[np.float32], int]]:
    """Each usable face with its mask `[256, 256, 1]` and the width of its picture."""

    def prepare(path: Path) -> tuple[Path, FaceRecord, Image, int] | str:
        file = faces.read(path)
        if file.problem or file.record is None:
            return file.problem or f"{path} has no face metadata and so no mask."
        try:
            picture = file.decode()
            ready = network_input(picture, file.record, predictor.face_type)
        except DFLColabError as error:
            return str(error)
        return path, file.record, ready, picture.shape[1]

    waiting = iter(faces.paths)
    with (
        progress.task("Masking faces", total=len(faces), unit="faces") as task,
        ThreadPoolExecutor(os.cpu_count() or 1) as pool,
    ):
        while paths := list(islice(waiting, count)):
            progress.raise_if_stopped()
            made = list(pool.map(prepare, paths))
            problems += [problem for problem in made if isinstance(problem, str)]
            ready = [face for face in made if not isinstance(face, str)]
            if ready:
                batch = np.stack([picture for _, _, picture, _ in ready]).astype(np.float32) / 255
                masks = predictor.predict(batch)
                for (path, record, _, width), mask in zip(ready, masks, strict=True):
                    own = mask_of_face(mask, record, predictor.face_type, width)
                    yield path, record, own, width
            task.advance(len(paths))
