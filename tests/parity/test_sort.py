"""Sorting by every kind gives DeepFaceLab's scores, order and trash; so do renaming and recovery."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dflcolab.errors import FacesetError
from dflcolab.faceset import sort_keys
from dflcolab.faceset.config import SortConfig, SortKind
from dflcolab.faceset.cpbd import edge_widths, sharpness, width_edges
from dflcolab.faceset.face_files import read_face_file
from dflcolab.faceset.sort import sort_faces
from dflcolab.files import sha256_of
from dflcolab.pipeline.sort import sort
from dflcolab.workspace.settings import WorkspaceSettings, write_settings
from dflcolab.workspace.workspace import Side, Workspace
from tests.parity.vector_cases import Entry, entry_params, file_params, load_json

# The README of the vectors: blur 1e-3, motion-blur relative 1e-6, angles 1e-3, others exact.
# "Exact" means for sums of roots of counts: the last digits of float64.
RELATIVE = {"motion-blur": 1e-6, "hist-dissim": 1e-9, "brightness": 1e-12, "hue": 1e-12}
ABSOLUTE = {"blur": 1e-3, "face-yaw": 1e-3, "face-pitch": 1e-3}


def _kind(method: str) -> tuple[SortKind, dict[str, Any]]:
    """Kind and options behind a method's name in the vectors."""
    name, _, target = method.partition(" target ")
    if name.startswith("absdiff-"):
        return SortKind.ABSDIFF, {"dissimilar": name == "absdiff-dissimilar"}
    return SortKind(name), {"target": int(target)} if target else {}


@pytest.mark.parametrize("case", entry_params("imaging", "sort", "sort*.json", section="methods"))
def test_scores_order_and_trash(case: Entry):
    paths = sorted((case.folder / "faces").glob("*.jpg"))
    kind, options = _kind(case.key)

    if not case.value["order"]:
        # DeepFaceLab empties the faceset; this refuses before anything is moved.
        with pytest.raises(FacesetError, match="65 is the smallest"):
            sort_faces(paths, kind, **options)
        return
    found = sort_faces(paths, kind, **options)

    for name, score in case.value.get("scores", {}).items():
        if not isinstance(score, str):
            score = pytest.approx(
                score, rel=RELATIVE.get(case.key, 0), abs=ABSOLUTE.get(case.key, 0)
            )
        assert found.scores[name] == score
    assert list(found.order) == case.value["order"]
    assert sorted(found.rejected) == sorted(case.value["trash"])


@pytest.mark.parametrize("path", file_params("imaging", "sort", "sort*.json"))
def test_pixel_differences(path: Path):
    expected = load_json(path)["absdiff_matrix"]
    faces = [
        read_face_file(face).decode() for face in sorted((path.parent / "faces").glob("*.jpg"))
    ]

    found = [[cv2.norm(one, other, cv2.NORM_L1) for other in faces] for one in faces]

    assert found == expected


@pytest.mark.parametrize("path", file_params("imaging", "sort", "sort*.json"))
def test_histogram_distances(path: Path):
    expected = np.array(load_json(path)["hist_bgr_distance_matrix"])
    images = [cv2.imread(str(face)) for face in sorted((path.parent / "faces").glob("*.jpg"))]
    roots = sort_keys.histogram_roots(
        np.stack([sort_keys.color_histograms(np.asarray(image, np.uint8)) for image in images])
    )

    found = sort_keys.histogram_distances(roots, roots)
    np.fill_diagonal(found, 0)

    # The vectors keep 7 digits.
    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("case", entry_params("imaging", "sharpness", "sharpness*.json",
                                              name=lambda _, value: value["file"]))  # fmt: skip
def test_sharpness_and_its_parts(case: Entry):
    image = np.asarray(cv2.imread(str(case.folder / case.value["file"])), np.uint8)
    gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
    edges = width_edges(gray)
    _, _, widths = edge_widths(gray, edges)

    assert sharpness(image) == pytest.approx(case.value["score"], abs=1e-3)
    # The README: counts within half a percent.
    assert edges.sum() == pytest.approx(case.value["sobel_edge_count"], rel=5e-3)
    assert (widths > 0).sum() == pytest.approx(case.value["edge_width_count"], rel=5e-3)
    assert widths.sum() == pytest.approx(case.value["edge_width_sum"], rel=5e-3)
    assert sort_keys.laplacian_variance(image) == pytest.approx(
        case.value["laplacian11_var"], rel=1e-6
    )


@pytest.mark.parametrize("path", file_params("imaging", "sort", "rename*.json"))
def test_renaming_and_recovering_names(path: Path, tmp_path: Path):
    expected = load_json(path)
    write_settings(tmp_path, WorkspaceSettings(name="test"))
    workspace = Workspace.open(tmp_path)
    folder = workspace.aligned_dir(Side.SRC)
    folder.parent.mkdir()
    shutil.copytree(path.parent / "faces", folder)

    sort(workspace, SortConfig(side=Side.SRC, by=SortKind.FACE_YAW))

    names = [face.name for face in sorted(folder.iterdir())]
    assert names == expected["folder_after"]
    hashes = [sha256_of(folder / name)[:16] for name in names]
    assert hashes == [expected["original_sha256"][name] for name in expected["order"]]
    trashed = sorted(face.name for face in workspace.trash_dir(Side.SRC).glob("*.jpg"))
    assert trashed == sorted(expected["trash"])

    sort(workspace, SortConfig(side=Side.SRC, by=SortKind.RECOVER_NAMES))

    found = {face.name: sha256_of(face)[:16] for face in folder.iterdir()}
    assert found == expected["after_recover_sha256"]
