"""A picture of which a part is missing is found, and a whole one never suspected."""

from __future__ import annotations

import io
import random
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pictures

from dflcolab.errors import FormatError
from dflcolab.faceset.clean import propose_unusable
from dflcolab.faceset.config import PackConfig, SortConfig, SortKind
from dflcolab.faceset.face_files import read_face_file
from dflcolab.faceset.measures import measure_face
from dflcolab.faceset.tools_config import ResizeConfig
from dflcolab.faceset.whole_picture import PART_IS_MISSING, ends_in_nothing, is_whole
from dflcolab.formats.jpeg_segments import read_header
from dflcolab.pipeline.pack import pack
from dflcolab.pipeline.resize import resize
from dflcolab.pipeline.sort import sort
from dflcolab.workspace.settings import WorkspaceSettings, write_settings
from dflcolab.workspace.workspace import Side, Workspace

DATA = Path(__file__).parents[1] / "data"
FACES = DATA / "vectors" / "imaging" / "sort" / "faces"
FACE = FACES / "00001_0.jpg"


def cut(data: bytes, share: float = 2 / 3) -> bytes:
    """The picture's data up to a share of them, with an end marker behind."""
    start = read_header(io.BytesIO(data), "").scan_offset
    return data[: start + int((len(data) - start) * share)] + b"\xff\xd9"


def overwritten(data: bytes, length: int, chance: random.Random) -> bytes:
    start = read_header(io.BytesIO(data), "").scan_offset + 20
    place = chance.randrange(start, len(data) - length - 2)
    other = bytes(chance.randrange(255) for _ in range(length))
    return data[:place] + other + data[place + length :]


@pytest.mark.parametrize("share", [0.05, 1 / 3, 2 / 3, 0.99])
def test_a_missing_end_is_found(share: float):
    assert not is_whole(cut(FACE.read_bytes(), share))


@pytest.mark.parametrize(("length", "share"), [(512, 0.6), (4096, 1.0)])
def test_most_overwritten_stretches_are_found(length: int, share: float):
    """A short one that happens to be valid data shows as a wrong stripe and cannot be told."""
    chance = random.Random(5)
    data = FACE.read_bytes()
    found = [not is_whole(overwritten(data, length, chance)) for _ in range(50)]
    assert sum(found) >= share * len(found)


def test_no_picture_of_the_test_data_is_suspected():
    pictures = [path for path in DATA.rglob("*.jpg") if path.read_bytes()[:2] == b"\xff\xd8"]
    assert len(pictures) > 100
    assert [path.name for path in pictures if not is_whole(path.read_bytes())] == []


@pytest.mark.parametrize("size", [65, 128, 200])
def test_no_way_to_write_a_jpeg_is_suspected(size: int):
    image = cv2.resize(cv2.imread(str(FACE)), (size, size))
    for progressive in (0, 1):
        for sampling in (0x411111, 0x221111, 0x211111, 0x111111, 0x121111):
            for quality, restart in ((30, 0), (100, 3)):
                options = [
                    *(cv2.IMWRITE_JPEG_PROGRESSIVE, progressive),
                    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling),
                    *(cv2.IMWRITE_JPEG_QUALITY, quality),
                    *(cv2.IMWRITE_JPEG_RST_INTERVAL, restart),
                ]
                assert is_whole(cv2.imencode(".jpg", image, options)[1].tobytes())
    for mode in ("L", "CMYK"):
        stream = io.BytesIO()
        Pictures.fromarray(image).convert(mode).save(stream, "JPEG")
        assert is_whole(stream.getvalue())
    data = FACE.read_bytes()
    assert is_whole(data[:-2])
    assert is_whole(data + b"something behind the end")
    assert is_whole(b"\x89PNG")


def test_a_plain_gray_picture_is_whole_though_it_looks_like_nothing(tmp_path: Path):
    gray = np.full((64, 64, 3), 128, np.uint8)
    path = tmp_path / "gray.jpg"
    path.write_bytes(cv2.imencode(".jpg", gray)[1].tobytes())
    assert ends_in_nothing(gray)
    assert read_face_file(path).decode().shape == (64, 64, 3)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Twelve faces, of which the third has lost a third of its picture."""
    root = tmp_path / "workspace"
    folder = root / "data_src" / "aligned"
    folder.mkdir(parents=True)
    write_settings(root, WorkspaceSettings(name="whole"))
    for path in sorted(FACES.glob("0*.jpg"))[:12]:
        (folder / path.name).write_bytes(path.read_bytes())
    damaged = folder / "00002_0.jpg"
    damaged.write_bytes(cut(damaged.read_bytes()))
    return Workspace.open(root)


def test_a_measured_face_says_that_a_part_is_missing_and_clean_proposes_it(
    workspace: Workspace, capfd: pytest.CaptureFixture[str]
):
    paths = sorted(workspace.aligned_dir(Side.SRC).glob("*.jpg"))
    found = propose_unusable([measure_face(read_face_file(path)) for path in paths])
    assert [(item.path.name, item.reason) for item in found] == [("00002_0.jpg", PART_IS_MISSING)]
    assert "JPEG" not in capfd.readouterr().err  # libjpeg's line, which names no file


def test_sort_pack_and_resize_name_a_face_of_which_a_part_is_missing(workspace: Workspace):
    with pytest.raises(FormatError, match="missing"):
        read_face_file(workspace.aligned_dir(Side.SRC) / "00002_0.jpg").decode()
    resized = resize(workspace, ResizeConfig(side=Side.SRC, size=64))
    assert len(resized.problems) == 1
    assert "00002_0.jpg" in resized.problems[0]
    packed = pack(workspace, PackConfig(side=Side.SRC))
    assert len(packed.problems) == 1
    assert "00002_0.jpg" in packed.problems[0]


@pytest.mark.parametrize("kind", [SortKind.HUE, SortKind.HIST, SortKind.FINAL, SortKind.DUPLICATES])
def test_sort_says_which_files_went_and_why_in_few_words(workspace: Workspace, kind: SortKind):
    folder = workspace.aligned_dir(Side.SRC)
    for number in range(5):
        (folder / f"9999{number}_0.jpg").write_bytes(FACE.read_bytes()[: 700 + number])
    report = sort(workspace, SortConfig(side=Side.SRC, by=kind, target=1000))
    assert report.trashed[PART_IS_MISSING] == 1
    assert report.trashed["not readable"] == 5
    text = report.summary()
    assert f"1 moved to the trash: {PART_IS_MISSING} (00002_0.jpg)." in text
    assert "5 moved to the trash: not readable (99990_0.jpg, 99991_0.jpg, 99992_0.jpg …)." in text
    assert "--only sort" in text
