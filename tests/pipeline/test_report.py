"""The report on facesets: page, numbers and sentences, from whatever form the faces are in."""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dflcolab.config import to_plain
from dflcolab.detection.faces import detect_faces
from dflcolab.errors import ConfigError, FacesetError, Interrupted, StorageError
from dflcolab.extraction.alignment import align_face, encode_jpeg
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.limits import all_limits
from dflcolab.faceset.report_config import ReportConfig
from dflcolab.formats.dfl_jpeg import read_record, replace_record, write_face
from dflcolab.media.frame_sequence import read_image
from dflcolab.media.provenance import sign_file
from dflcolab.pipeline.report import Report, report
from dflcolab.pipeline.report_look import evenly
from dflcolab.progress import Progress
from dflcolab.workspace.settings import WorkspaceSettings, write_settings
from dflcolab.workspace.workspace import Side, Workspace
from tests.formats.face_files import face_file
from tests.material import shared_faces


class _Page(HTMLParser):
    """Text, tags that stay open, and everything the page would load."""

    _VOID = ("meta", "img", "rect", "polygon", "br")

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = ""
        self.open: list[str] = []
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in self._VOID:
            self.open.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href", "srcset")]

    def handle_endtag(self, tag):
        if tag not in self._VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def _look(root: Path, **options: Any) -> Report:
    return report(Workspace.open(root), ReportConfig(**options))


def _faces(root: Path, side: Side) -> Path:
    return Workspace.open(root).aligned_dir(side)


def _state(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _numbers(found: Report) -> dict[str, Any]:
    """The report without what may differ between two runs on the same faces."""
    plain = to_plain(found)
    for key in ("made_on", "html", "json", "workspace"):
        del plain[key]
    for side in ("src", "dst"):
        del plain[side]["summary"]["packed"]
        for finding in plain[side]["findings"]:
            del finding["advice"]
    return plain


def _no_odd_numbers(value: object) -> None:
    if isinstance(value, float):
        assert math.isfinite(value)
    elif isinstance(value, dict):
        for item in value.values():
            _no_odd_numbers(item)
    elif isinstance(value, list):
        for item in value:
            _no_odd_numbers(item)


def test_the_demo_faces_through_the_command_line(face_workspace: Path, cli):
    before = {side: _state(_faces(face_workspace, side)) for side in Side}

    printed = cli.report("report", "-w", face_workspace)

    page, numbers = (face_workspace / "history" / f"report.{kind}" for kind in ("html", "json"))
    assert {side: _state(_faces(face_workspace, side)) for side in Side} == before
    written = json.loads(numbers.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert written == printed
    _no_odd_numbers(printed)
    assert printed["version"] == 1
    src, dst = printed["src"]["summary"], printed["dst"]["summary"]
    assert src["faces"] == len(before[Side.SRC])
    assert dst["faces"] == len(before[Side.DST]) == 72
    assert sum(map(sum, src["pose_map"])) == src["faces"]
    assert src["origins"] == {"data_src.mp4": src["faces"]}
    assert src["sizes"] == {"256": src["faces"]}
    for side in (src, dst):
        assert len(side["people"]["people"]) == 1
        assert side["landmarks"]["failed"]["count"] == 0
        assert side["damaged"] == 0
    assert printed["pair"]["summary"]["poses"]["share"] > 0.9  # both look into the camera
    assert printed["pair"]["summary"]["likeness"] < 0.5  # a woman and a man
    text = _Page(page).text
    assert printed["pair"]["verdict"]["text"] in text
    for side in ("src", "dst"):
        for finding in printed[side]["findings"]:
            assert finding["text"] in text


def test_the_command_line_says_it_in_sentences(face_workspace: Path, cli):
    done = cli("report", "-w", face_workspace, "--side", "dst", "--sample", 0, "--quiet")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("dst: 72 faces; whole face, 256 pixels.")
    assert str(face_workspace / "history" / "report.html") in done.stdout


def test_the_page_is_whole_loads_nothing_and_names_its_limits(face_workspace: Path, tmp_path: Path):
    path = tmp_path / "elsewhere" / "page.html"

    found = _look(face_workspace, html=path, sample=10)

    assert (found.html, found.json) == (path, path.with_suffix(".json"))
    page = _Page(path)
    assert page.open == []
    assert path.stat().st_size < 3_000_000
    assert len(page.sources) > 20
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    rest = re.sub(r"data:image[^\"]+", "", path.read_text(encoding="utf-8"))
    for word in ("http", "//", "url(", "@import", "<script", "<link", "<iframe"):
        assert word not in rest, word
    for name, limit in all_limits().items():
        assert name in page.text
        assert limit.evidence.replace("`", "") in page.text, name  # commands are set as code


def test_packed_faces_give_the_same_numbers_as_loose_ones(face_workspace: Path, cli):
    loose = _look(face_workspace, sample=12)
    for side in Side:
        cli.report("pack", "-w", face_workspace, "--side", side.value)
        pak = _faces(face_workspace, side) / "faceset.pak"
        for path in pak.parent.glob("*.jpg"):
            path.unlink()
    before = {side: _state(_faces(face_workspace, side)) for side in Side}

    packed = _look(face_workspace, sample=12)

    assert packed.src is not None
    assert packed.src.summary.packed
    assert _numbers(packed) == _numbers(loose)
    assert {side: _state(_faces(face_workspace, side)) for side in Side} == before
    assert len(_Page(packed.html).sources) == len(_Page(loose.html).sources)


def test_hostile_names_and_damaged_files_are_named_and_escaped(face_workspace: Path):
    folder = _faces(face_workspace, Side.DST)
    some = sorted(folder.glob("*.jpg"))
    evil = "<script>alert(1)<b>.jpg"
    some[0].rename(folder / evil)
    (folder / "`tick`.jpg").write_bytes(some[1].read_bytes()[:4000])
    (folder / "empty<img src=x>.jpg").write_bytes(b"")
    cv2.imwrite(str(folder / "plain.jpg"), np.zeros((64, 64, 3), np.uint8))

    found = _look(face_workspace, side=Side.DST, sample=0)

    assert found.dst is not None
    assert (found.dst.summary.files, found.dst.summary.damaged) == (75, 3)
    assert {item.name for item in found.dst.summary.damaged_files} == {
        "`tick`.jpg", "empty<img src=x>.jpg", "plain.jpg",
    }  # fmt: skip
    raw = found.html.read_text(encoding="utf-8")
    assert "<script" not in raw
    assert "<img src=x" not in raw
    page = _Page(found.html)
    assert "script" not in page.tags
    assert "empty<img src=x>.jpg" in page.text


def test_a_hostile_name_among_the_examples_is_escaped(face_workspace: Path):
    folder = _faces(face_workspace, Side.DST)
    faces = sorted(folder.glob("*.jpg"))
    for path in faces[1:]:
        path.unlink()
    faces[0].rename(folder / '<script>"&.jpg')  # the only face is every example

    found = _look(face_workspace, side=Side.DST, sample=5)

    assert "<script" not in found.html.read_text(encoding="utf-8")
    assert '<script>"&.jpg' in _Page(found.html).text


def test_one_side_is_enough_and_the_other_is_mentioned(face_workspace: Path):
    shutil.rmtree(_faces(face_workspace, Side.SRC))

    found = _look(face_workspace, sample=5)

    assert found.src is None
    assert found.pair is None
    assert found.dst is not None
    assert any("data_src" in note for note in found.notes)
    assert "data_src" in _Page(found.html).text


def test_without_faces_there_is_one_sentence(face_workspace: Path, cli):
    shutil.rmtree(_faces(face_workspace, Side.SRC))
    with pytest.raises(FacesetError, match="no faces"):
        _look(face_workspace, side=Side.SRC)
    for path in _faces(face_workspace, Side.DST).glob("*.jpg"):
        path.unlink()

    assert "dflcolab extract" in cli.refusal("report", "-w", face_workspace)
    assert not (face_workspace / "history" / "report.html").exists()


def test_a_set_of_damaged_files_only_is_reported(face_workspace: Path):
    for path in _faces(face_workspace, Side.DST).glob("*.jpg"):
        path.write_bytes(path.read_bytes()[:3000])

    found = _look(face_workspace, sample=5)

    assert found.dst is not None
    assert (found.dst.summary.faces, found.dst.summary.damaged) == (0, 72)
    assert found.pair is None
    assert found.dst.findings[0].code == "damaged"


def test_a_page_needs_a_name_that_is_not_that_of_the_numbers(face_workspace: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"\.html"):
        _look(face_workspace, html=tmp_path / "report.json")


def test_faces_of_deepfacelab_without_our_notes_are_judged_too(face_workspace: Path):
    for path in sorted(_faces(face_workspace, Side.DST).glob("*.jpg"))[::2]:
        record = read_record(path)
        assert record is not None
        replace_record(path, record.replace(extra={}))

    found = _look(face_workspace, side=Side.DST, sample=8)

    assert found.dst is not None
    assert found.dst.summary.faces == 72
    assert found.dst.summary.origins == {"data_dst.mp4": 36, "not recorded": 36}
    assert found.dst.summary.landmarks is not None
    assert found.dst.summary.landmarks.failed.count == 0


def test_a_small_sample_is_said_to_be_one(face_workspace: Path):
    found = _look(face_workspace, side=Side.DST, sample=6)

    assert found.dst is not None
    assert found.dst.summary.people is not None
    assert found.dst.summary.people.looked_at == 6
    assert any("Of the 72 dst faces, 6, evenly spread" in note for note in found.notes)
    nothing = _look(face_workspace, side=Side.DST, sample=0)
    assert nothing.dst is not None
    assert nothing.dst.summary.people is None
    assert nothing.dst.summary.landmarks is None


def test_samples_are_spread_evenly():
    assert evenly(5, 9) == [0, 1, 2, 3, 4]
    assert evenly(5, 0) == []
    chosen = evenly(10_000, 2000)
    assert len(chosen) == 2000
    assert (chosen[0], chosen[-1]) == (0, 9999)
    assert set(np.diff(chosen)) <= {4, 5, 6}


def test_a_wish_to_stop_ends_it_and_writes_nothing(face_workspace: Path):
    class Stopping(Progress):
        def task(self, title: str, *, total: int | None, unit: str, done: int = 0):
            if title.startswith("Comparing dst"):
                self.request_stop()
            return super().task(title, total=total, unit=unit, done=done)

    with pytest.raises(Interrupted):
        report(Workspace.open(face_workspace), ReportConfig(sample=4), progress=Stopping())

    assert not (face_workspace / "history" / "report.html").exists()
    assert not (face_workspace / "history" / "report.json").exists()


def test_the_mark_of_the_result_is_read_back(face_workspace: Path, clips):
    result = face_workspace / "result.mp4"
    shutil.copy(clips["dst"], result)
    unsigned = _look(face_workspace, side=Side.DST, sample=0)
    sign_file(clips["dst"], result, title="result")
    signed = _look(face_workspace, side=Side.DST, sample=0)
    page = _Page(signed.html)
    data = bytearray(result.read_bytes())
    data[-2000] ^= 0xFF  # a changed picture
    result.write_bytes(data)
    changed = _look(face_workspace, side=Side.DST, sample=0)

    assert [mark.state for mark in unsigned.results] == ["none"]
    assert "dflcolab encode" in unsigned.results[0].text
    assert [(mark.state, mark.synthetic) for mark in signed.results] == [("valid", True)]
    assert signed.results[0].text in page.text
    assert [mark.state for mark in changed.results] == ["invalid"]


def test_people_in_folders_are_read_and_found(face_workspace: Path):
    folder = _faces(face_workspace, Side.DST)
    (folder / "he").mkdir()
    (folder / "she").mkdir()
    for path in sorted(folder.glob("*.jpg")):
        path.rename(folder / "he" / path.name)
    for path in sorted(_faces(face_workspace, Side.SRC).glob("*.jpg"))[:9]:
        shutil.copy(path, folder / "she" / path.name)

    found = _look(face_workspace, side=Side.DST)

    assert found.dst is not None
    people = found.dst.summary.people
    assert people is not None
    assert [person.faces for person in people.people] == [72, 9]
    assert [person.typical.partition("/")[0] for person in people.people] == ["he", "she"]
    assert found.dst.findings[0].text == "9 of 81 faces seem to belong to another person."


def test_strangers_do_not_count_for_the_pair(face_workspace: Path):
    alone = _look(face_workspace, sample=500)
    src = _faces(face_workspace, Side.SRC)
    for path in sorted(_faces(face_workspace, Side.DST).glob("*.jpg"))[:20]:
        shutil.copy(path, src / f"stranger_{path.name}")

    mixed = _look(face_workspace, sample=500)

    assert alone.pair is not None
    assert mixed.pair is not None
    assert mixed.pair.summary.light == alone.pair.summary.light
    assert mixed.pair.summary.color == alone.pair.summary.color
    assert any("person seen most" in note for note in mixed.notes)
    assert "--identity auto" in mixed.summary()


def test_wrong_landmarks_are_found(face_workspace: Path):
    faces = sorted(_faces(face_workspace, Side.DST).glob("*.jpg"))
    for path in faces[:5]:
        record = read_record(path)
        assert record is not None
        replace_record(path, record.replace(landmarks=record.landmarks + np.float32(30)))

    found = _look(face_workspace, side=Side.DST)

    assert found.dst is not None
    assert found.dst.summary.landmarks is not None
    failed = found.dst.summary.landmarks.failed
    assert set(failed.names) == {path.name for path in faces[:5]}
    assert found.dst.findings[0].code == "landmarks"


def test_photographs_of_many_people_are_one_person_and_strangers(tmp_path: Path, cli):
    root = tmp_path / "workspace"
    cli.report("init", "-w", root)
    folder = root / "data_src" / "aligned"
    folder.mkdir(parents=True, exist_ok=True)
    for picture in sorted(shared_faces().glob("person_m/*.jpg")) + sorted(
        shared_faces().glob("group/f*.jpg")
    ):
        image = read_image(picture)
        for number, face in enumerate(detect_faces(image)):
            aligned = align_face(
                image, face.landmarks, face.box, face_type=FaceType.WHOLE, size=256,
                source_filename=picture.name,
            )  # fmt: skip
            write_face(
                folder / f"{picture.stem}_{number}.jpg", encode_jpeg(aligned.image, 90),
                aligned.record,
            )  # fmt: skip

    found = _look(root, side=Side.SRC)

    assert found.src is not None
    people = found.src.summary.people
    assert people is not None
    assert people.people[0].faces == 6
    assert people.people[0].typical.startswith("m")


def test_a_page_that_cannot_be_written_is_refused_by_its_own_name_before_the_look(
    face_workspace: Path, monkeypatch: pytest.MonkeyPatch
):
    page = face_workspace / "workspace.toml" / "page.html"
    monkeypatch.setattr("dflcolab.pipeline.report.look_at_side", None)
    with pytest.raises(StorageError, match=r"workspace\.toml/page\.html cannot be written"):
        _look(face_workspace, html=page, sample=0)


def test_pictures_of_other_kinds_are_told_and_one_face_is_one_face(tmp_path: Path):
    write_settings(tmp_path, WorkspaceSettings(name="one"))
    folder = _faces(tmp_path, Side.SRC)
    folder.mkdir(parents=True)
    face_file(folder, "00001_0.jpg")
    for name in ("a.tif", "b.webp"):
        (folder / name).write_bytes(b"II*")
    found = _look(tmp_path, sample=0, about="faces")
    assert any("a.tif and 1 more: not used" in note for note in found.notes)
    assert "src: 1 face;" in found.summary()
