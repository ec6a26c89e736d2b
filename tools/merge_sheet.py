"""Draws `docs/images/merging.jpg`: what modes, color transfers and masks do to one frame.

No network is trained for it: in the place of a prediction stands the other person's face from a frame,
bent so that its landmarks lie on dst's, and the hulls of both faces stand for the learned masks.

    .venv/bin/python tools/merge_sheet.py [FILE]
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from dflcolab.config import from_mapping
from dflcolab.detection.faces import detect_faces
from dflcolab.faces.alignment import alignment_matrix, transform_points
from dflcolab.faces.conversion import between_crops
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.hull_masks import hull_mask
from dflcolab.faces.polygons import polygon_mask
from dflcolab.formats.dfl_jpeg import read_face
from dflcolab.media.video_reader import VideoReader
from dflcolab.merging.composite import composite_frame
from dflcolab.merging.face import FaceToMerge, Prediction, face_crop
from dflcolab.merging.options import ColorTransferMode, CompositeOptions, Mode

ROOT = Path(__file__).parents[1]
CLIPS = ROOT / "dflcolab" / "assets" / "demo"
SIZE = 192
TILE = 140
HAND = 159
WHOLE = FaceType.WHOLE


def frame_of(clip: str, index: int) -> tuple[np.ndarray, np.ndarray]:
    """A frame of a demo clip and the landmarks of its largest face."""
    frame = next(iter(VideoReader(CLIPS / clip).frames(index, index + 1))).image
    return frame, detect_faces(frame, max_faces=1)[0].landmarks.astype(np.float32)


def predicted(
    src: tuple[np.ndarray, np.ndarray], dst: tuple[np.ndarray, np.ndarray]
) -> FaceToMerge:
    """The src face bent to dst's landmarks, as a model might paint it."""
    (src_frame, src_points), (_, points) = src, dst
    crop = face_crop(src_frame, src_points, SIZE, WHOLE)
    own = transform_points(src_points, alignment_matrix(src_points, SIZE, WHOLE))
    goal = transform_points(points, alignment_matrix(points, SIZE, WHOLE))
    swap = bent(crop, own, goal)
    hulls = [cv2.GaussianBlur(hull_mask(p, SIZE, SIZE), (0, 0), 2) for p in (goal, goal)]
    masks = [np.clip(hull, 0, 1).reshape(SIZE, SIZE, 1).astype(np.float32) for hull in hulls]
    return FaceToMerge(points, Prediction(swap, masks[0], masks[1]))


def bent(picture: np.ndarray, own: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """The picture with its points moved to their goals; triangles between, fixed at the border."""
    last = SIZE - 1
    edge = np.float32([(x, y) for x in (0, last / 2, last) for y in (0, last / 2, last)])
    edge = edge[(edge != last / 2).any(axis=1)]
    own, goal = np.vstack([own, edge]), np.vstack([goal, edge])
    plan = cv2.Subdiv2D((-SIZE, -SIZE, 3 * SIZE, 3 * SIZE))
    for point in goal:
        plan.insert((float(point[0]), float(point[1])))
    result = picture.copy()
    for triangle in plan.getTriangleList().reshape(-1, 3, 2):
        corners = [int(np.argmin(((goal - corner) ** 2).sum(axis=1))) for corner in triangle]
        if ((goal[corners] - triangle) ** 2).sum() > 1:
            continue
        matrix = cv2.getAffineTransform(np.float32(own[corners]), np.float32(goal[corners]))
        inside = np.zeros((SIZE, SIZE), np.uint8)
        cv2.fillConvexPoly(inside, np.rint(goal[corners]).astype(int), 1)
        moved = cv2.warpAffine(picture, matrix, (SIZE, SIZE), borderMode=cv2.BORDER_REFLECT_101)
        result[inside > 0] = moved[inside > 0]
    return result


def tile(picture: np.ndarray, landmarks: np.ndarray, label: str) -> np.ndarray:
    """The surroundings of the face with a word under it."""
    matrix = alignment_matrix(landmarks, TILE, WHOLE)
    middle = transform_points([(TILE / 2, TILE / 2)], matrix, invert=True)[0]
    zoom = float(np.linalg.norm(matrix[0, :2])) * 1.25
    upright = np.float32([[zoom, 0, 0], [0, zoom, 0]])
    upright[:, 2] = TILE / 2 - zoom * np.add(middle, (0, 8))
    shown = cv2.warpAffine(
        picture, upright, (TILE, TILE), flags=cv2.INTER_AREA, borderValue=(96, 96, 96)
    )
    return labelled(shown, label)


def labelled(picture: np.ndarray, label: str) -> np.ndarray:
    """A picture with a word under it."""
    band = np.full((20, TILE, 3), 255, np.uint8)
    cv2.putText(band, label, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([picture, band])


def merged(frame: np.ndarray, face: FaceToMerge, label: str, **values: object) -> np.ndarray:
    """One tile: the frame merged with these options."""
    options = from_mapping(CompositeOptions, {"blur_mask_modifier": 40, **values})
    image, _ = composite_frame(frame, [face], face_type=WHOLE, options=options)
    if options.mode is Mode.RAW_PREDICT:
        return labelled(cv2.resize(image, (TILE, TILE), interpolation=cv2.INTER_AREA), label)
    return tile(image, face.landmarks, label)


def hand_drawn(name: str, landmarks: np.ndarray) -> np.ndarray:
    """The outline that somebody drew on a face of the tests, as an XSeg network might answer."""
    face = read_face(ROOT / "tests" / "data" / "masks" / name)
    width = face.decode().shape[1]
    drawn = polygon_mask(face.record.polygons, width, width)
    matrix = between_crops(landmarks, face.record.assumed_face_type, width, WHOLE, 256)
    moved = cv2.warpAffine(drawn.reshape(width, width), matrix, (256, 256))
    return cv2.GaussianBlur(moved, (0, 0), 2).reshape(256, 256, 1).astype(np.float32)


def cut(
    scene: tuple[np.ndarray, np.ndarray], face: FaceToMerge, left: int
) -> tuple[np.ndarray, FaceToMerge]:
    """The frame without its first columns, so that its edge goes through the face."""
    points = (face.landmarks - (left, 0)).astype(np.float32)
    return np.ascontiguousarray(scene[0][:, left:]), FaceToMerge(points, face.prediction)


def main() -> None:
    """Draw the sheet."""
    man, calm = frame_of("webcam_man.mp4", 59), frame_of("webcam_man.mp4", 17)
    woman, turned = frame_of("studio_woman.mp4", 279), frame_of("studio_woman.mp4", 398)
    hand = frame_of("studio_woman.mp4", HAND)
    face, behind = predicted(man, woman), predicted(calm, hand)
    drawn = hand_drawn(f"studio_woman_{HAND + 1:05d}.jpg", hand[1])
    behind = replace(behind, prediction=replace(behind.prediction, dst_xseg=drawn))
    first = [
        tile(woman[0], woman[1], "dst"),
        tile(man[0], man[1], "src, for a prediction"),
    ]
    modes = [m.value for m in Mode]
    colors = [m.value for m in ColorTransferMode]
    at_edge = cut(calm, predicted(woman, calm), int(calm[1][30, 0]) - 30)
    aside = predicted(calm, turned)
    best = {"color_transfer_mode": "mkl-m"}
    rows = [
        first + [merged(woman[0], face, f"mode {m}", mode=m) for m in modes],
        [merged(woman[0], face, f"color {c}", color_transfer_mode=c) for c in colors],
        [
            tile(hand[0], hand[1], "dst with a hand"),
            merged(hand[0], behind, "mask dst", mask_mode="dst", **best),
            merged(hand[0], behind, "mask XSeg-dst (drawn)", mask_mode="XSeg-dst", **best),
            merged(woman[0], face, "mask full", mask_mode="full", **best),
            merged(woman[0], face, "erode 60", erode_mask_modifier=60, **best),
            merged(woman[0], face, "blur 200", blur_mask_modifier=200, **best),
            merged(woman[0], face, "scale 20", output_face_scale=20, **best),
            merged(woman[0], face, "super-resolution 100", super_resolution_power=100, **best),
            merged(
                woman[0], face, "sharpen 5", sharpen_mode="gaussian", blursharpen_amount=5, **best
            ),
        ],
        [
            tile(turned[0], turned[1], "dst turned"),
            merged(turned[0], aside, "overlay rct"),
            merged(turned[0], aside, "seamless rct", mode="seamless"),
            merged(turned[0], aside, "overlay sot-m", color_transfer_mode="sot-m"),
            tile(at_edge[0], at_edge[1].landmarks, "dst at the frame's edge"),
            merged(*at_edge, "overlay rct"),
            merged(*at_edge, "seamless rct", mode="seamless"),
            merged(*at_edge, "overlay mix-m", color_transfer_mode="mix-m"),
            merged(*at_edge, "sharpen 3", sharpen_mode="gaussian", blursharpen_amount=3),
        ],
    ]
    sheet = np.vstack([np.hstack(row) for row in rows])
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images" / "merging.jpg"
    cv2.imwrite(str(out), sheet, [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()
