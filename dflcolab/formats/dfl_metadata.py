# pyright: strict
"""DeepFaceLab's dictionary of a face, to and from `FaceRecord`.

Types and key order are those of DFL interoperability notes, section 1.2. Whatever comes from a file
is checked here once: counts, finite numbers, sane ranges, no folders in names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from dflcolab.errors import ConfigError, FormatError
from dflcolab.faces.face_record import PROVENANCE_KEY, FaceRecord, Polygon
from dflcolab.faces.face_type import FaceType

KNOWN_KEYS = (
    "face_type",
    "landmarks",
    "source_filename",
    "source_rect",
    "source_landmarks",
    "image_to_face_mat",
    "eyebrows_expand_mod",
    "seg_ie_polys",
    "xseg_mask",
)
_FARTHEST = 1e7  # pixels
_DEEPEST = 16
_MOST_VALUES = 100_000
_MOST_BYTES = 16 << 20
_MOST_POINTS = 100_000
"""Of all outlines of a face, which count as a point each; 8,000 points fill a face file. A file may
refer to one long outline ten thousand times."""


def record_from_dict(values: Mapping[str, Any], name: str) -> FaceRecord:
    """Check a face's dictionary and turn it into a record.

    Args:
        values: As unpickled; unknown keys are kept.
        name: What to call the file in errors.

    Raises:
        FormatError: A value is missing, has the wrong form, or is out of all reason.
    """
    try:
        return _record(values)
    except (FormatError, ConfigError, ValueError, TypeError, OverflowError) as error:
        detail = str(error).rstrip(".")
        raise FormatError(
            f"{name} has damaged face metadata ({detail}); extract that face again or remove it."
        ) from error


def _record(values: Mapping[str, Any]) -> FaceRecord:
    extra = {key: value for key, value in values.items() if key not in KNOWN_KEYS}
    check_plain(extra)
    get = values.get
    face_type, rect, source_landmarks = (
        get("face_type"),
        get("source_rect"),
        get("source_landmarks"),
    )
    matrix, brows, mask = get("image_to_face_mat"), get("eyebrows_expand_mod"), get("xseg_mask")
    return FaceRecord(
        face_type=None if face_type is None else parse_face_type(face_type),
        landmarks=points(get("landmarks"), 68, "landmarks"),
        source_filename=base_name(get("source_filename")),
        source_rect=None if rect is None else _numbers(rect, (4,), "source_rect").astype(np.int64),
        source_landmarks=(
            None if source_landmarks is None else points(source_landmarks, 68, "source_landmarks")
        ),
        image_to_face_mat=(
            None
            if matrix is None
            else _numbers(matrix, (2, 3), "image_to_face_mat").astype(np.float32)
        ),
        eyebrows_expand_mod=1.0 if brows is None else float(_numbers(brows, (), "eyebrows")),
        polygons=polygons_from(get("seg_ie_polys")),
        xseg_mask=None if mask is None else mask_bytes(mask),
        extra=extra,
    )


def record_to_dict(record: FaceRecord) -> dict[str, Any]:
    """The dictionary that DeepFaceLab's extractor would write; absent values are left out."""
    values: dict[str, Any] = {}
    if record.face_type is not None:
        values["face_type"] = record.face_type.value
    values["landmarks"] = record.landmarks.astype(np.float64).tolist()
    if record.source_filename is not None:
        values["source_filename"] = record.source_filename
    if record.source_rect is not None:
        values["source_rect"] = record.source_rect.astype(np.int64)
    if record.source_landmarks is not None:
        values["source_landmarks"] = record.source_landmarks.astype(np.float64).tolist()
    if record.image_to_face_mat is not None:
        values["image_to_face_mat"] = record.image_to_face_mat.astype(np.float64)
    if record.eyebrows_expand_mod != 1.0:
        values["eyebrows_expand_mod"] = float(record.eyebrows_expand_mod)
    if record.polygons:
        values["seg_ie_polys"] = polygons_to(record.polygons)
    if record.xseg_mask is not None:
        values["xseg_mask"] = np.frombuffer(record.xseg_mask, np.uint8)
    values.update(record.extra)
    if PROVENANCE_KEY in values:
        values[PROVENANCE_KEY] = _plain_provenance(record.provenance)
    return values


def _plain_provenance(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Our own dictionary in types that any program can read: texts and numbers."""
    plain: dict[str, Any] = {}
    for key, value in provenance.items():
        item: object = cast(object, value.item()) if isinstance(value, np.generic) else value
        if item is None:
            continue
        if not isinstance(item, (str, int, float)):
            raise TypeError(f"{key!r} in {PROVENANCE_KEY!r} is neither a text nor a number")
        plain[key] = item
    return plain


def parse_face_type(value: object) -> FaceType:
    """A face type from its text or number in a file."""
    if not isinstance(value, (str, int)):
        raise FormatError("face_type is no text")
    return FaceType.parse(value)


def base_name(value: object) -> str | None:
    """A file name without any folder in front of it; None if nothing usable is left."""
    if not isinstance(value, str):
        return None
    name = value.replace("\\", "/").rsplit("/", 1)[-1].replace("\0", "")
    return None if name in ("", ".", "..") else name


def points(value: object, count: int | None, what: str) -> npt.NDArray[np.float32]:
    """Points `[N, 2]`, float32, from lists or an array; `count` None takes any number."""
    if count is None:
        sized = cast(Sequence[Any], value) if isinstance(value, (list, tuple, np.ndarray)) else ()
        count = len(sized)
    if count == 0:
        return np.empty((0, 2), np.float32)
    return _numbers(cast(object, value), (count, 2), what).astype(np.float32)


def polygons_from(value: object) -> tuple[Polygon, ...]:
    """Outlines from a file's `seg_ie_polys`: a dictionary, or in old files a list of pairs."""
    if value is None:
        return ()
    if isinstance(value, dict):
        value = cast(dict[str, Any], value).get("polys", [])
    if not isinstance(value, (list, tuple)):
        raise FormatError("seg_ie_polys is no list")
    found: list[Polygon] = []
    total = 0
    for item in cast(Sequence[object], value):
        found.append(_polygon(item))
        total += 1 + len(found[-1].points)
        if total > _MOST_POINTS:
            raise FormatError("seg_ie_polys holds too many points")
    return tuple(found)


def _polygon(item: object) -> Polygon:
    if isinstance(item, dict):
        mapping = cast(dict[str, Any], item)
        kind, drawn = mapping.get("type"), mapping.get("pts")
    elif isinstance(item, (list, tuple)) and len(cast(Sequence[Any], item)) == 2:
        kind, drawn = cast(Sequence[Any], item)
    else:
        raise FormatError("seg_ie_polys holds something that is no outline")
    code = int(_numbers(kind, (), "an outline's type"))
    if code not in (0, 1):
        raise FormatError("an outline neither includes nor excludes")
    if isinstance(drawn, np.ndarray):
        array = cast(npt.NDArray[Any], drawn)
        # Contours come from OpenCV as [N, 1, 2].
        drawn = array[:, 0] if array.shape[1:] == (1, 2) else array
    return Polygon(code == 1, points(cast(object, drawn), None, "an outline"))


def polygons_to(polygons: Sequence[Polygon]) -> dict[str, Any]:
    """Outlines as DeepFaceLab stores them.

    Raises:
        ValueError: A point lies so far away that no reader would take it.
    """
    for polygon in polygons:
        if not (np.abs(polygon.points) < _FARTHEST).all():
            raise ValueError("an outline has a point that is out of all reason")
    return {
        "polys": [
            {"type": int(polygon.include), "pts": np.asarray(polygon.points, np.float32)}
            for polygon in polygons
        ]
    }


def mask_bytes(value: object) -> bytes:
    """The encoded mask picture from its array, of whatever shape.

    Bytes of which the array is a view are not copied: a thousand faces of a pack may refer to them.
    """
    if isinstance(value, bytes):
        return value
    if isinstance(value, np.ndarray):
        array = cast(npt.NDArray[Any], value)
        if array.dtype == np.uint8:
            base: object = array
            while isinstance(base, np.ndarray):
                base = cast(object, base.base)
            if isinstance(base, bytes) and len(base) == array.nbytes and array.flags.c_contiguous:
                return base
            return array.tobytes()
    raise FormatError("xseg_mask is no encoded picture")


def _numbers(value: object, shape: tuple[int, ...], what: str) -> npt.NDArray[np.float64]:
    """Finite numbers of exactly this shape, from nested lists, tuples or an array."""
    if not _has_shape(value, shape):
        raise FormatError(f"{what} has not {' x '.join(map(str, shape)) or 'one'} number(s)")
    array = np.asarray(value, dtype=np.float64)
    if not (np.abs(array) < _FARTHEST).all():
        raise FormatError(f"{what} has numbers out of all reason")
    return array


_ROWS = frozenset((list, tuple, np.ndarray))
_NUMBERS = frozenset((float, int, bool))


def _has_shape(value: object, shape: tuple[int, ...]) -> bool:
    """Whether lists are nested to this shape, looking no deeper than that."""
    if isinstance(value, (np.ndarray, np.generic)):
        array = cast(npt.NDArray[Any], value)
        return array.shape == shape and array.dtype.kind in "biuf"
    items: list[Any] = [value]
    for size in shape:
        if not _ROWS.issuperset(map(type, items)) or set(map(len, items)) != {size}:
            return False
        items = list(chain.from_iterable(items))
    return _NUMBERS.issuperset(map(type, items)) or all(
        isinstance(item, (int, float, np.integer, np.floating)) for item in items
    )


def check_plain(value: object) -> None:
    """Refuse values that contain themselves, share themselves without end, or are no data.

    Raises:
        FormatError: With a part of a sentence that says what is wrong.
    """
    waiting: list[tuple[object, int]] = [(value, 0)]
    seen = size = 0
    while waiting:
        item, depth = waiting.pop()
        seen += 1
        if isinstance(item, (str, bytes)):
            size += len(item)
        elif isinstance(item, np.ndarray):
            size += cast(npt.NDArray[Any], item).nbytes
        # Written again, a value that a file refers to a thousand times takes its room a thousand times.
        if seen > _MOST_VALUES or depth > _DEEPEST or size > _MOST_BYTES:
            raise FormatError("an unknown key holds too much")
        if isinstance(item, dict):
            mapping = cast(dict[object, object], item)
            waiting.extend((inner, depth + 1) for pair in mapping.items() for inner in pair)
        elif isinstance(item, (list, tuple)):
            waiting.extend((inner, depth + 1) for inner in cast(Sequence[object], item))
        elif not isinstance(
            item, (str, int, float, complex, bytes, np.ndarray, np.generic, type(None))
        ):
            raise FormatError("an unknown key holds something that is no data")
