# pyright: strict
"""Parts of a merge for compositing programs: pictures with transparency, masks, transforms."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab import __version__
from dflcolab.faces.alignment import alignment_matrix, invert_transform, transform_points
from dflcolab.files import list_files, storage_errors, write_bytes, write_text
from dflcolab.media.certificate import Identity
from dflcolab.media.provenance import SOURCE_TYPE, read_provenance, sign_still
from dflcolab.merging.faces_file import MergedFace, read_merged_faces
from dflcolab.pipeline.encode_frames import Picture
from dflcolab.pipeline.encode_jobs import EXPORT_FOLDER, Job
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Workspace

TRANSFORMS_FILE = "transforms.json"
_VERSION = 1
_DECIMALS = 4
"""Of a pixel: finer than landmarks are, coarse enough to keep the file small."""


@dataclass(frozen=True)
class ExportedFiles:
    """Files written for other programs.

    Attributes:
        kind: "foreground pictures", "mask pictures" or "transforms file".
        path: Their folder, or the file.
        files: How many.
    """

    kind: str
    path: Path
    files: int


def export_pictures(
    job: Job,
    frames: Iterator[Picture],
    name: str,
    workspace: Workspace,
    progress: Progress,
    *,
    identity: Identity | None = None,
) -> ExportedFiles:
    """Every picture of a job as a signed PNG, named like its frame.

    Args:
        job: Says how the frames are called.
        frames: BGRA or grey pictures; 16 bits become 8.
        name: Folder under `export/`.
        workspace: Where.
        progress: Shown, and asked for a wish to stop.
        identity: Certificate to sign with; None = this machine's.
    """
    folder = workspace.root / EXPORT_FOLDER / name
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    total = len(job.stems)
    with progress.task(f"Writing {EXPORT_FOLDER}/{name}", total=total, unit="pictures") as task:
        for stem, frame in zip(job.stems, frames, strict=True):
            progress.raise_if_stopped()
            small = frame if frame.dtype == np.uint8 else (frame // 257).astype(np.uint8)
            data = cv2.imencode(".png", small)[1].tobytes()
            signed = sign_still(data, f"{stem}.png", identity=identity)
            write_bytes(folder / f"{stem}.png", signed, durable=False)
            task.advance()
    return ExportedFiles(f"{job.kind} pictures", folder, total)


def remove_older_pictures(folder: Path, stems: Collection[str]) -> list[str]:
    """Remove pictures of earlier exports, so that a folder holds one sequence.

    Only what this program has written and nobody has changed or renamed goes: a PNG with a valid
    note of ours under its own name.

    Args:
        folder: Of exported pictures.
        stems: Names of the frames that belong there now.

    Returns:
        What was done, in sentences.
    """
    others = [p for p in list_files(folder, (".png",)) if p.stem not in stems]
    old = [path for path in others if _is_export(path)]
    with storage_errors(folder):
        for path in old:
            path.unlink(missing_ok=True)
    where = f"{EXPORT_FOLDER}/{folder.name}"
    messages: list[str] = []
    if old:
        messages.append(f"Pictures of an earlier export, removed from {where}: {len(old)}.")
    if len(others) > len(old):
        messages.append(
            f"Pictures that are not of this export, left in {where}: {len(others) - len(old)} "
            f"(such as {min(set(others) - set(old)).name})."
        )
    return messages


def _is_export(path: Path) -> bool:
    """Whether an export of this program wrote it, and it is as it was then."""
    note = read_provenance(path)
    return (
        note is not None
        and note.holds
        and note.title == path.name
        and note.source_type == SOURCE_TYPE
        and (note.generator or "").startswith("dflcolab ")
    )


def export_transforms(job: Job, workspace: Workspace) -> ExportedFiles:
    """Where the faces of every frame are, as JSON; `docs/merging.md` describes it.

    Raises:
        WorkspaceError: The merge left no record of its faces.
    """
    faces: dict[str, list[MergedFace]] = {}
    for face in read_merged_faces(workspace.merged_dir):
        faces.setdefault(face.stem, []).append(face)
    head = {
        "version": _VERSION,
        "made_with": f"dflcolab {__version__}",
        "digital_source_type": SOURCE_TYPE,
        "video": job.video.name if job.video is not None else None,
    }
    lines = [
        json.dumps(_frame(index, stem, job, faces.get(stem, [])))
        for index, stem in enumerate(job.stems)
    ]
    # One frame a line, so that the file can be looked at and compared.
    text = json.dumps(head)[:-1] + ', "frames": [\n' + ",\n".join(lines) + "\n]}\n"
    suffix = job.name.removeprefix(workspace.result_path("").name)
    file_name = Path(TRANSFORMS_FILE)
    path = workspace.root / EXPORT_FOLDER / f"{file_name.stem}{suffix}{file_name.suffix}"
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return ExportedFiles("transforms file", path, 1)


def _frame(index: int, stem: str, job: Job, faces: list[MergedFace]) -> dict[str, Any]:
    time = job.timeline.times[index]
    return {
        "frame": stem,
        "index": index,
        "time": f"{time.numerator}/{time.denominator}",
        "time_s": round(float(time), 6),
        "faces": [_face(face) for face in faces],
    }


def _face(face: MergedFace) -> dict[str, Any]:
    """Landmarks and both matrices of a face; pixel (0, 0) is the middle of the first one."""
    size = face.resolution
    to_crop = alignment_matrix(face.landmarks, size, face.face_type)
    corners = [(0, 0), (size, 0), (size, size), (0, size)]
    return {
        "file": face.name,
        "model": face.model,
        "face_type": face.face_type.value,
        "crop_size": size,
        "landmarks": _rounded(face.landmarks),
        "frame_to_crop": _rounded(to_crop, 7),
        "crop_to_frame": _rounded(invert_transform(to_crop), 7),
        "crop_in_frame": _rounded(transform_points(corners, to_crop, invert=True)),
    }


def _rounded(values: npt.NDArray[np.float32], decimals: int = _DECIMALS) -> list[Any]:
    return np.round(values.astype(np.float64), decimals).tolist()
