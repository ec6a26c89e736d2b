"""`clean` on real faces: one person of a video is chosen once, and everything can be undone."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from dflcolab.errors import ConfigError, WorkspaceError
from dflcolab.extraction.config import ExtractConfig
from dflcolab.faceset.config import CleanConfig, SortConfig, SortKind
from dflcolab.faceset.faceset import load_faceset
from dflcolab.files import sha256_of
from dflcolab.formats.dfl_jpeg import embed, read_record
from dflcolab.media.video_reader import VideoReader
from dflcolab.merging.faces_of_frames import faces_of_frames
from dflcolab.pipeline.clean import clean
from dflcolab.pipeline.extract import extract
from dflcolab.pipeline.sort import sort
from dflcolab.workspace.workspace import Side, Workspace

HEIGHT, WIDTH = 360, 640


def side_by_side(clips: dict[str, Path], path: Path, n_frames: int) -> None:
    """A video of the two demo clips: the woman on the left, the man on the right."""
    readers = [
        VideoReader(clip).frames(first, first + n_frames)
        for clip, first in ((clips["src"], 100), (clips["dst"], 0))
    ]
    with av.open(str(path), "w") as writer:
        stream = writer.add_stream("libx264", rate=25, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = 2 * WIDTH, HEIGHT, "yuv420p"
        for index, (left, right) in enumerate(zip(*readers, strict=True)):
            both = np.hstack([left.image, right.image])
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(both), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            writer.mux(stream.encode(frame))
        writer.mux(stream.encode())


@pytest.fixture(scope="module")
def _two_people_once(clips, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("two") / "workspace"
    root.mkdir()
    (root / "workspace.toml").write_text('format_version = 1\nname = "two people"\n')
    side_by_side(clips, root / "data_dst.mp4", 40)
    extract(Workspace.open(root), ExtractConfig(side=Side.DST, size=256))
    return root


@pytest.fixture
def two_people(_two_people_once: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(_two_people_once, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def workspace(face_workspace: Path) -> Workspace:
    return Workspace.open(face_workspace)


def faces_of(workspace: Workspace, side: Side = Side.DST) -> list[Path]:
    return sorted(workspace.aligned_dir(side).glob("*.jpg"))


def is_left(path: Path) -> bool:
    record = read_record(path)
    assert record is not None
    assert record.source_landmarks is not None
    return float(record.source_landmarks[:, 0].mean()) < WIDTH


def reference(clips: dict[str, Path], path: Path, who: str) -> str:
    frame = next(iter(VideoReader(clips[who]).frames(0, 1))).image
    cv2.imwrite(str(path), frame)
    return str(path)


def spoil(path: Path, how) -> None:
    """Change the picture of a face file and keep its face data."""
    record = read_record(path)
    assert record is not None
    image = how(cv2.imread(str(path)))
    path.write_bytes(embed(cv2.imencode(".jpg", image)[1].tobytes(), record))


def fog(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), image.shape[0] / 16)


def test_one_person_is_chosen_for_the_whole_video(two_people: Workspace, clips, tmp_path: Path):
    left = [path.name for path in faces_of(two_people) if is_left(path)]
    right = [path.name for path in faces_of(two_people) if not is_left(path)]
    assert len(left) == len(right) == 40
    for name in (left[10], left[11], left[30], right[5]):  # frames in which nobody is recognised
        spoil(two_people.aligned_dir(Side.DST) / name, fog)
    her = reference(clips, tmp_path / "her.jpg", "src")

    report = clean(two_people, CleanConfig(side=Side.DST, identity=(her,)))

    assert sorted(face.name for face in report.removed) == right
    assert [(person.faces, person.wanted) for person in report.people] in (
        [(40, True), (40, False)],
        [(40, False), (40, True)],
    )
    faceset = load_faceset(two_people.aligned_dir(Side.DST))
    merged = faces_of_frames(faceset.names, faceset.records)
    assert len(merged.by_stem) == 40
    assert all(
        len(faces) == 1 and faces[0][:, 0].mean() < WIDTH for faces in merged.by_stem.values()
    )


def test_a_later_run_repeats_the_choice(two_people: Workspace, clips, tmp_path: Path):
    him = reference(clips, tmp_path / "him.jpg", "dst")
    first = clean(two_people, CleanConfig(side=Side.DST, identity=(him,)))
    (tmp_path / "him.jpg").unlink()
    assert 'reference = "him.jpg"' in (two_people.root / "workspace.toml").read_text()
    clean(two_people, CleanConfig(side=Side.DST, undo=True))  # as if more were extracted

    by_default = clean(two_people, CleanConfig(side=Side.DST, dry_run=True))
    by_name = clean(two_people, CleanConfig(side=Side.DST, identity=("chosen",)))

    assert by_default.removed == by_name.removed
    assert {face.name for face in by_name.removed} == {face.name for face in first.removed}
    assert by_name.identity == "him.jpg, chosen before"


def test_without_a_choice_dst_names_the_people_and_keeps_them(two_people: Workspace):
    report = clean(two_people, CleanConfig(side=Side.DST))

    assert report.removed == ()
    assert [person.faces for person in report.people] == [40, 40]
    assert "choose with --identity" in report.summary()
    chosen = clean(two_people, CleanConfig(side=Side.DST, identity=("2",)))
    assert {face.check for face in chosen.removed} == {"identity"}
    assert len({is_left(path) for path in faces_of(two_people)}) == 1


def test_frame_names_alone_are_enough_for_tracks(two_people: Workspace):
    # As DeepFaceLab leaves them: no video, no time in the files.
    for path in faces_of(two_people):
        record = read_record(path)
        assert record is not None
        path.write_bytes(embed(path.read_bytes(), record.replace(extra={})))
    left = [path for path in faces_of(two_people) if is_left(path)]
    for path in left[10:13]:
        spoil(path, fog)

    report = clean(two_people, CleanConfig(side=Side.DST, identity=("1",)))

    assert len(report.removed) == 40
    assert len({is_left(path) for path in faces_of(two_people)}) == 1


def test_a_reference_like_nobody_removes_nobody(two_people: Workspace, tmp_path: Path):
    from tests.material import five_people

    cv2.imwrite(str(tmp_path / "stranger.jpg"), five_people())

    with pytest.raises(ConfigError, match="Nobody among the 80 faces of dst looks like"):
        clean(two_people, CleanConfig(side=Side.DST, identity=(str(tmp_path / "stranger.jpg"),)))
    with pytest.raises(ConfigError, match="no person 7"):
        clean(two_people, CleanConfig(side=Side.DST, identity=("7",)))
    assert len(faces_of(two_people)) == 80
    assert two_people.settings.person_dst is None


def test_a_choice_that_was_never_made_or_is_damaged_is_one_sentence(two_people: Workspace):
    with pytest.raises(ConfigError, match="Nobody was chosen"):
        clean(two_people, CleanConfig(side=Side.DST, identity=("chosen",)))
    clean(two_people, CleanConfig(side=Side.DST, identity=("1",)))
    file = two_people.root / "person_dst.npy"

    for data in (b"", b"no numbers", file.read_bytes()[:-100]):
        file.write_bytes(data)
        with pytest.raises(WorkspaceError, match="choose once more"):
            clean(two_people, CleanConfig(side=Side.DST))
    file.unlink()
    with pytest.raises(WorkspaceError, match="choose once more"):
        clean(two_people, CleanConfig(side=Side.DST))


def test_references_may_be_a_folder_of_pictures_and_face_files(
    two_people: Workspace, clips, tmp_path: Path
):
    folder = tmp_path / "him"
    folder.mkdir()
    reference(clips, folder / "1.png", "dst")
    face = next(path for path in faces_of(two_people) if not is_left(path))
    shutil.copy(face, folder / "2.jpg")

    report = clean(two_people, CleanConfig(side=Side.DST, identity=(str(folder),), dry_run=True))

    assert len(report.removed) == 40
    assert all(is_left(two_people.aligned_dir(Side.DST) / face.name) for face in report.removed)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no pictures in"):
        clean(two_people, CleanConfig(side=Side.DST, identity=(str(tmp_path / "empty"),)))


def test_a_choice_written_by_hand_counts(two_people: Workspace):
    with (two_people.root / "workspace.toml").open("a") as stream:
        stream.write('\n[people.dst]\nreference = "2"\n')

    report = clean(two_people, CleanConfig(side=Side.DST, dry_run=True))

    assert [person.wanted for person in report.people] == [False, True]


def test_every_check_finds_what_was_spoilt_and_nothing_else(workspace: Workspace):
    folder = workspace.aligned_dir(Side.SRC)
    paths = faces_of(workspace, Side.SRC)
    rng = np.random.default_rng(0)
    dark, bright, soft, noise, moved, copy = paths[3:45:7]
    spoil(dark, lambda image: (image * 0.03).astype(np.uint8))
    spoil(bright, lambda image: np.clip(image.astype(float) * 4 + 90, 0, 255).astype(np.uint8))
    spoil(soft, lambda image: cv2.GaussianBlur(image, (0, 0), image.shape[0] / 50))
    # A wall where the detector of another program saw a face, in no track.
    wall = folder / "wall.jpg"
    texture = cv2.GaussianBlur(rng.integers(0, 255, (256, 256, 3), dtype=np.uint8), (0, 0), 3)
    record = read_record(noise)
    assert record is not None
    data = cv2.imencode(".jpg", cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX))[1].tobytes()
    wall.write_bytes(embed(data, record.replace(source_filename="wall.png", extra={})))
    record = read_record(moved)
    assert record is not None
    off = np.add(record.landmarks, np.array([30, 0], np.float32))
    moved.write_bytes(embed(moved.read_bytes(), record.replace(landmarks=off)))
    (folder / "copy.jpg").write_bytes(copy.read_bytes())
    record = read_record(copy)
    assert record is not None
    other = record.replace(source_filename="9-00001.png")
    (folder / "copy.jpg").write_bytes(embed(copy.read_bytes(), other))

    report = clean(workspace, CleanConfig(side=Side.SRC, dry_run=True))

    found = {face.name: face.check for face in report.removed if face.check != "duplicates"}
    assert found == {
        dark.name: "exposure",
        bright.name: "exposure",
        soft.name: "blur",
        "wall.jpg": "non-faces",
        moved.name: "landmarks",
    }
    copies = {face.name for face in report.removed if face.check == "duplicates"}
    assert copies & {"copy.jpg", copy.name}
    assert len(copies) <= 3
    assert all(face.reason for face in report.removed)
    assert report.summary().count("\n") >= 10


def test_undo_brings_back_what_it_is_told_and_says_what_stays(workspace: Workspace):
    paths = faces_of(workspace, Side.SRC)
    spoil(paths[3], fog)
    spoil(paths[7], lambda image: (image * 0.03).astype(np.uint8))
    strangers = faces_of(workspace, Side.DST)[:3]
    for path in strangers:
        shutil.copy(path, workspace.aligned_dir(Side.SRC) / f"x{path.name}")
    before = sorted(sha256_of(path) for path in faces_of(workspace, Side.SRC))
    clean(workspace, CleanConfig(side=Side.SRC, identity=("auto",), blur=True, exposure=True))
    sort(workspace, SortConfig(side=Side.SRC, by=SortKind.FACE_YAW))

    first = clean(workspace, CleanConfig(side=Side.SRC, undo=True, only=("blur", "x*")))

    assert {name.partition("~")[0].removesuffix(".jpg") for name in first.restored} == {
        paths[3].stem,
        *(f"x{path.stem}" for path in strangers),
    }
    assert first.stays == {"exposure": 1}
    assert "Still in the trash: 1 by exposure." in first.summary()
    with pytest.raises(WorkspaceError, match="it holds 1 by exposure"):
        clean(workspace, CleanConfig(side=Side.SRC, undo=True, only=("blur",)))
    last = clean(workspace, CleanConfig(side=Side.SRC, undo=True))
    assert len(last.restored) == 1
    assert last.stays == {}
    assert sorted(sha256_of(path) for path in faces_of(workspace, Side.SRC)) == before


def test_a_dry_run_of_undo_says_what_would_come_back_and_moves_nothing(workspace: Workspace):
    spoil(faces_of(workspace, Side.SRC)[3], fog)
    clean(workspace, CleanConfig(side=Side.SRC, blur=True))
    left = [path.name for path in faces_of(workspace, Side.SRC)]

    report = clean(workspace, CleanConfig(side=Side.SRC, undo=True, dry_run=True))

    assert len(report.restored) == 1
    assert "Would come back from the trash: 1 face of src." in report.summary()
    assert [path.name for path in faces_of(workspace, Side.SRC)] == left


def test_undo_with_a_check_says_how_to_name_what_comes_back(workspace: Workspace):
    with pytest.raises(ConfigError, match="--only blur"):
        clean(workspace, CleanConfig(side=Side.SRC, undo=True, blur=True))


def test_only_needs_undo(workspace: Workspace):
    with pytest.raises(ConfigError, match="--undo"):
        clean(workspace, CleanConfig(side=Side.SRC, only=("blur",)))


def test_long_tables_are_cut_in_the_text_and_whole_in_json(two_people: Workspace, cli):
    words = ("clean", "-w", two_people.root, "--side", "dst", "--identity", "1", "--dry-run")

    shown = cli(*words, "--quiet")
    report = cli.report(*words)

    assert shown.returncode == 0
    assert "and 30 more (--json lists all)" in shown.stdout
    assert len(report["removed"]) == 40
    assert len(json.dumps(report)) > 1000
    assert report["people"][0]["wanted"] is True
    assert two_people.settings.person_dst is None  # a dry run decides nothing
