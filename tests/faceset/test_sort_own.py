"""The kinds that DeepFaceLab lacks, on real faces; and the best faces, oneface."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflcolab.detection.landmark_check import judge_landmarks
from dflcolab.errors import ConfigError, FacesetError
from dflcolab.faceset.best_faces import SMALLEST_TARGET, Candidate, best_faces
from dflcolab.faceset.config import SortConfig, SortKind
from dflcolab.faceset.landmark_quality import face_side
from dflcolab.faceset.measures import expression, measure_faces
from dflcolab.faceset.sort import sort_faces
from dflcolab.faceset.sort_by_measure import mean_shape_distances
from dflcolab.formats.dfl_jpeg import read_record, replace_record
from dflcolab.pipeline.sort import sort
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Side, Workspace
from tests.faceset.test_sort import FACES
from tests.formats.face_files import face_file
from tests.material import WEBCAM_MAN, frame_of


@pytest.fixture
def real_faces(face_workspace: Path) -> list[Path]:
    """Every third face of the studio clip: she laughs, talks and turns."""
    return sorted(Workspace.open(face_workspace).aligned_dir(Side.SRC).glob("*.jpg"))[::3]


def spoil(path: Path, move) -> None:
    record = read_record(path)
    assert record is not None
    replace_record(path, record.replace(landmarks=move(record.landmarks).astype(np.float32)))


def test_wrong_landmarks_come_first(real_faces: list[Path]):
    shifted, shrunk = real_faces[4], real_faces[7]
    spoil(shifted, lambda points: points + 0.25 * face_side(points))
    spoil(shrunk, lambda points: (points - points.mean(axis=0)) * 0.7 + points.mean(axis=0))

    found = sort_faces(real_faces, SortKind.LANDMARK_QUALITY, judge=judge_landmarks)

    assert list(found.order[:2]) == [shifted.name, shrunk.name]
    assert found.scores[shifted.name] == pytest.approx(0.25 * 2**0.5, abs=0.03)
    assert not found.rejected


def test_an_odd_face_is_the_most_dissimilar_one(real_faces: list[Path]):
    odd = real_faces[5]
    # The mouth slides down the chin: a shape that nobody else has.
    spoil(odd, lambda points: points + np.array([0, 40]) * (np.arange(68) >= 48)[:, None])

    found = sort_faces(real_faces, SortKind.DISSIMILAR_FACE)

    assert found.order[0] == odd.name
    values = [found.scores[name] for name in found.order]
    assert values == sorted(values, reverse=True)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 20))
def test_shape_distances_are_the_mean_over_all_others(seed: int, n: int):
    shapes = np.random.default_rng(seed).normal(size=(n, 68, 2)).astype(np.float32)

    found = mean_shape_distances(shapes)

    for index in range(n):
        others = np.delete(shapes, index, axis=0).astype(np.float64)
        distances = np.sqrt(np.square(others - shapes[index]).sum(axis=2).mean(axis=1))
        assert found[index] == pytest.approx(distances.mean() if n > 1 else 0.0, rel=1e-6)


def test_expression_goes_from_laughing_to_shut(real_faces: list[Path]):
    found = sort_faces(real_faces, SortKind.EXPRESSION)

    openings = {}
    for path in real_faces:
        record = read_record(path)
        assert record is not None
        openings[path.name] = expression(record.landmarks)
    steps = [int(openings[name][0] / 0.1) for name in found.order]
    assert steps == sorted(steps, reverse=True)
    assert len(set(steps)) > 2, "the clip holds laughing and calm faces"
    for step in set(steps):
        eyes = [openings[n][1] for n, s in zip(found.order, steps, strict=True) if s == step]
        assert eyes == sorted(eyes, reverse=True)


def test_near_copies_stand_together_behind_the_one_that_stays(real_faces: list[Path]):
    copies = [real_faces[3].with_name(f"copy{n}.jpg") for n in range(3)]
    for n, copy in enumerate(copies):
        shutil.copy(real_faces[3], copy)
        record = read_record(copy)
        assert record is not None
        replace_record(copy, record.replace(source_filename=f"9{n:04d}.png"))
    paths = sorted([*real_faces, *copies])

    found = sort_faces(paths, SortKind.DUPLICATES)

    assert set(found.order[:4]) >= {copy.name for copy in copies}
    sizes = [found.scores[name] for name in found.order]
    assert sizes == sorted(sizes, reverse=True)
    sharpness = {m.name: m.sharpness or 0.0 for m in measure_faces(paths, progress=Progress())}
    group = found.order[: int(sizes[0])]
    assert max(group, key=lambda name: sharpness[name]) == group[0]
    assert sorted(found.order) == [path.name for path in paths]


def test_files_without_face_data_are_rejected_by_every_own_kind():
    paths = sorted(FACES.iterdir())
    for kind in (SortKind.DUPLICATES, SortKind.EXPRESSION, SortKind.DISSIMILAR_FACE):
        found = sort_faces(paths, kind)

        assert list(found.rejected) == ["00099_0.jpg"]
        assert len(found.order) == len(paths) - 1


def test_a_target_that_would_empty_the_faceset_is_refused():
    paths = sorted(FACES.iterdir())

    with pytest.raises(FacesetError, match="65 is the smallest useful number"):
        sort_faces(paths, SortKind.FINAL, target=SMALLEST_TARGET - 1)

    assert sort_faces(paths, SortKind.FINAL_FASTER, target=SMALLEST_TARGET).order


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 300), target=st.integers(0, 600))
def test_best_faces_are_each_chosen_once_and_not_too_many(seed: int, n: int, target: int):
    generator = np.random.default_rng(seed)
    faces = [
        Candidate(float(yaw), float(pitch), float(quality))
        for yaw, pitch, quality in generator.normal(0, 0.4, (n, 3))
    ]
    counts = generator.integers(0, 50, (n, 1, 256)).astype(np.float64)

    chosen = best_faces(faces, target, lambda indices: counts[list(indices)])

    assert len(set(chosen)) == len(chosen)
    if target < SMALLEST_TARGET:
        assert chosen == []
    else:
        # Each turn of the head gets its share; what others lack is given out again.
        assert 0 < len(chosen) <= 128 * 2 * round(target / 128)
        turns = [faces[index].yaw for index in chosen]
        bins = np.searchsorted(np.linspace(-1.2, 1.2, 128)[1:], [-yaw for yaw in turns], "right")
        assert (np.diff(bins) >= 0).all()


def test_other_names_of_the_best_faces_are_understood():
    assert SortKind("final-by-blur") is SortKind.FINAL
    assert SortKind("final-fast") is SortKind("final-by-size") is SortKind.FINAL_FASTER


def test_oneface_refuses_names_it_cannot_read(tmp_path: Path):
    names = ["00000_0.jpg", "00001_0.jpg", "00001_1.jpg"]
    paths = [tmp_path / name for name in names]

    assert list(sort_faces(paths, SortKind.ONEFACE).rejected) == names[1:]
    with pytest.raises(FacesetError, match=r"00007\.jpg does not say"):
        sort_faces([*paths, tmp_path / "00007.jpg"], SortKind.ONEFACE)
    with pytest.raises(FacesetError, match="would remove them all"):
        sort_faces(paths[1:], SortKind.ONEFACE)


def test_oneface_understands_frames_of_several_videos_and_photographs(tmp_path: Path):
    sources = {"00001_0": "00001.png", "2-00001_0": "2-00001.png", "2-00001_1": "2-00001.png",
               "IMG_0012_0": "IMG_0012.jpg"}  # fmt: skip
    paths = [
        face_file(tmp_path, f"{name}.jpg", source_filename=source)
        for name, source in sources.items()
    ]

    found = sort_faces(paths, SortKind.ONEFACE)

    assert list(found.rejected) == ["2-00001_0.jpg", "2-00001_1.jpg"]
    other = face_file(tmp_path, "IMG_0013.jpg", source_filename="IMG_0013.jpg")
    with pytest.raises(FacesetError, match=r"IMG_0013\.jpg does not say"):
        sort_faces([*paths, other], SortKind.ONEFACE)


def test_oneface_leaves_names_alone_where_every_frame_has_one_face(tmp_path: Path):
    paths = [tmp_path / "00000_0.jpg", tmp_path / "00001_0.jpg"]

    found = sort_faces(paths, SortKind.ONEFACE)

    assert found.renamed == {path.name: path.name for path in paths}


def test_a_reference_picture_says_who_is_wanted(face_workspace: Path, tmp_path: Path):
    workspace = Workspace.open(face_workspace)
    folder = workspace.aligned_dir(Side.SRC)
    for path in sorted(folder.glob("*.jpg"))[8:]:
        path.unlink()
    for path in sorted(workspace.aligned_dir(Side.DST).glob("*.jpg"))[:3]:
        shutil.copy(path, folder / f"man_{path.name}")
    few = {path.read_bytes() for path in folder.glob("man_*")}
    picture = tmp_path / "wanted.png"
    cv2.imwrite(str(picture), frame_of(WEBCAM_MAN, 60))

    config = SortConfig(side=Side.SRC, by=SortKind.IDENTITY, reference=(picture,))
    report = sort(workspace, config)

    assert report.faces == 11
    first = sorted(folder.glob("*.jpg"))[:3]
    assert {path.read_bytes() for path in first} == few

    with pytest.raises(ConfigError, match=r"no picture .*nobody\.png"):
        sort(
            workspace,
            SortConfig(side=Side.SRC, by=SortKind.IDENTITY, reference=(tmp_path / "nobody.png",)),
        )
