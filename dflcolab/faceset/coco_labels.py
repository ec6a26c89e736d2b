# pyright: strict
"""Outlines as COCO JSON, the form in which labelling programs exchange polygons.

One annotation per outline; the category says whether it adds or cuts out. Ours come back as they
went, to the last bit. Of others, every category but those called exclude, obstruction or occlusion
adds; a ring that is not in a list of rings (VGG's annotator) is taken as well.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from dflcolab.errors import FormatError
from dflcolab.faces.face_record import Polygon
from dflcolab.faceset.labels import FaceLabel

INCLUDE, EXCLUDE = 1, 2
_CATEGORIES = [
    {"id": INCLUDE, "name": "include", "supercategory": "mask"},
    {"id": EXCLUDE, "name": "exclude", "supercategory": "mask"},
]
_CUTS_OUT = ("exclude", "obstruct", "occlu")
_LARGEST_FILE = 1 << 30


def coco_text(labels: Sequence[FaceLabel]) -> str:
    """The labels as a JSON text; faces without outlines are named as pictures only."""
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for number, label in enumerate(labels, start=1):
        images.append(
            {"id": number, "file_name": label.name, "width": label.width, "height": label.height}
        )
        for polygon in label.polygons:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": INCLUDE if polygon.include else EXCLUDE,
                    "segmentation": [[float(v) for v in polygon.points.reshape(-1)]],
                    "area": _area(polygon.points),
                    "bbox": _box(polygon.points),
                    "iscrowd": 0,
                }
            )
    return json.dumps(
        {
            "info": {"description": "Outlines of faces, written by dflcolab"},
            "images": images,
            "annotations": annotations,
            "categories": _CATEGORIES,
        }
    )


def read_coco(path: Path) -> tuple[list[FaceLabel], list[str]]:
    """The labels of a COCO file, and what could not be used, in sentences.

    Pictures without outlines are left out. A polygon of several rings becomes several outlines.

    Raises:
        FormatError: It is no COCO file, or holds no polygon.
    """
    wrong = FormatError(
        f"{path} is no COCO file with polygons; export the labels as COCO instance segmentation."
    )
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise wrong
        content: Any = json.loads(path.read_text(encoding="utf-8-sig"))
        cuts_out = {
            int(entry["id"]): str(entry["name"]).lower().startswith(_CUTS_OUT)
            for entry in content["categories"]
        }
        images: dict[int, dict[str, Any]] = {int(entry["id"]): entry for entry in content["images"]}
        annotations = cast(list[dict[str, Any]], content["annotations"])
        found: dict[int, list[Polygon]] = {}
        masks = strays = 0
        for entry in annotations:
            rings = _rings(entry.get("segmentation"))
            number = int(entry["image_id"]) if rings else 0
            masks += not rings
            strays += bool(rings) and number not in images
            if number not in images:
                continue
            for ring in rings:
                points = np.asarray(ring, np.float32).reshape(-1, 2)
                if not np.isfinite(points).all():
                    raise wrong
                include = not cuts_out.get(int(entry["category_id"]), False)
                found.setdefault(number, []).append(Polygon(include, points))
        labels = [
            FaceLabel(
                PurePosixPath(str(images[number]["file_name"]).replace("\\", "/")).name,
                int(images[number].get("width") or 0),
                int(images[number].get("height") or 0),
                tuple(polygons),
            )
            for number, polygons in sorted(found.items())
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError,
            RecursionError) as error:  # fmt: skip
        raise wrong from error
    problems: list[str] = []
    if masks:
        problems.append(
            f"{masks} annotations of {path} are pixel masks or boxes instead of polygons; export masks as "
            "PNG."
        )
    if strays:
        problems.append(f"{strays} annotations of {path} are of pictures that it does not list.")
    if problems and not labels:
        raise FormatError(problems[0])
    return labels, problems


def _rings(segmentation: object) -> list[Any]:
    """The rings of an annotation; none of a pixel mask or a box."""
    if not isinstance(segmentation, list):
        return []
    rings = cast(list[Any], segmentation)
    return [rings] if rings and isinstance(rings[0], (int, float)) else rings


def _area(points: npt.NDArray[np.float32]) -> float:
    """Of a polygon that does not cross itself; 0 for points and lines."""
    if len(points) < 3:
        return 0.0
    x, y = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64)
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _box(points: npt.NDArray[np.float32]) -> list[float]:
    """Left, top, width, height."""
    if not len(points):
        return [0.0, 0.0, 0.0, 0.0]
    low, high = points.min(axis=0), points.max(axis=0)
    return [float(v) for v in (*low, *(high - low))]
