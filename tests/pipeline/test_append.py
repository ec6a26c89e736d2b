"""`append`: videos, photos and facesets into one faceset, as a user does it."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from dflcolab.config import to_plain
from dflcolab.errors import FacesetError, FormatError, Interrupted, MediaError, WorkspaceError
from dflcolab.extraction.config import AppendConfig, ExtractConfig
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.config import CleanConfig, PackConfig
from dflcolab.faceset.faceset import load_faceset
from dflcolab.faceset.held_out import HeldOutChoice, choose_held_out, poses_of
from dflcolab.faceset.stretches import split_faces
from dflcolab.formats.dfl_jpeg import read_face, read_record
from dflcolab.formats.faceset_pak import PakItem, write_pak
from dflcolab.pipeline.append import append
from dflcolab.pipeline.clean import clean
from dflcolab.pipeline.extract import extract
from dflcolab.pipeline.pack import pack
from dflcolab.progress import Progress
from dflcolab.sync.travelling import travelling_files
from dflcolab.workspace.trash import Removal, Trash
from dflcolab.workspace.workspace import Side, Workspace
from tests.conftest import CommandLine
from tests.formats.face_files import face_file
from tests.material import MULTI, STUDIO_WOMAN, WEBCAM_MAN, frame_of
from tests.stopping import StopAfter

SRC = Side.SRC


def new_workspace(root: Path) -> Workspace:
    root.mkdir()
    (root / "workspace.toml").write_text('format_version = 1\nname = "test"\n')
    return Workspace.open(root)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return new_workspace(tmp_path / "workspace")


@pytest.fixture
def started(workspace) -> Workspace:
    """A workspace with faces of one video."""
    shutil.copy(WEBCAM_MAN, workspace.root / "data_src.mp4")
    extract(workspace, ExtractConfig(side=SRC, size=128, fps=6))
    return workspace


def config(*paths: Path, **options) -> AppendConfig:
    return AppendConfig(from_=paths, **{"side": SRC} | options)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.jpg")}


def faces(workspace: Workspace, side: Side = SRC) -> dict[str, bytes]:
    return contents(workspace.aligned_dir(side))


def everything(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def holiday(tmp_path: Path) -> Path:
    folder = tmp_path / "holiday"
    folder.mkdir()
    shutil.copy(MULTI, folder / "IMG_0012.jpg")
    cv2.imwrite(str(folder / "IMG_0013.png"), frame_of(STUDIO_WOMAN, 5))
    return folder


def small_faceset(folder: Path, n: int = 5, first: int = 0, **changes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(first, first + n):
        changes = {"source_filename": f"{i + 1:05d}.png"} | changes
        face_file(folder, f"{i + 1:05d}_0.jpg", seed=i, size=128, **changes)
        changes.pop("source_filename")
    return folder


def compressed_again(path: Path, *, scale: float, crf: int) -> Path:
    """The demo clip as somebody else would have stored it."""
    source = av.open(str(WEBCAM_MAN))
    video = source.streams.video[0]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=video.average_rate, options={"crf": str(crf)})
        stream.width, stream.height = (
            int(side * scale) // 2 * 2 for side in (video.width, video.height)
        )
        stream.pix_fmt = "yuv420p"
        for number, frame in enumerate(source.decode(video)):
            small = frame.reformat(stream.width, stream.height, "yuv420p")
            small.pts = number
            small.time_base = 1 / video.average_rate
            out.mux(stream.encode(small))
        out.mux(stream.encode())
    return path


def test_faces_of_a_video_that_was_compressed_again_are_known(started, tmp_path):
    alone = clean(started, CleanConfig(side=SRC, duplicates=True, dry_run=True))
    kept_alone = alone.faces - len(alone.removed)
    copy = compressed_again(tmp_path / "copy.mp4", scale=0.66, crf=26)

    report = append(started, config(copy, fps=6))

    assert report.new_faces == alone.faces
    assert report.look_alikes >= 0.95 * report.new_faces
    assert (
        f"{report.look_alikes} of the new ones look like faces of other videos" in report.summary()
    )
    both = clean(started, CleanConfig(side=SRC, duplicates=True, dry_run=True))
    assert both.faces - len(both.removed) <= kept_alone + 1
    other = append(started, config(STUDIO_WOMAN, fps=1))
    assert (other.look_alikes, other.new_faces > 10) == (0, True)


def test_a_video_is_brought_in_and_extracted_like_the_sides_own(started, tmp_path):
    before = faces(started)

    report = append(started, config(STUDIO_WOMAN, fps=2))

    (source,) = report.sources
    assert (source.kind, source.name, source.new, source.already_there) == (
        "video", "data_src_2.mp4", 1, 0,
    )  # fmt: skip
    after = faces(started)
    added = after.keys() - before.keys()
    assert before.items() <= after.items()
    assert len(added) == source.new_faces == report.new_faces > 20
    assert all(name.startswith("2-") for name in added)
    record = read_face(started.aligned_dir(SRC) / min(added)).record
    assert record.provenance["video"] == "data_src_2.mp4"
    assert record.provenance["frame_index"] == 0
    assert record.provenance["time_s"] == pytest.approx(0, abs=0.1)
    assert report.size == 128
    json.dumps(to_plain(report))
    assert "added as data_src_2.mp4" in report.summary()


def test_the_same_video_again_adds_nothing_and_says_so(started, tmp_path):
    append(started, config(STUDIO_WOMAN, fps=2))
    renamed = tmp_path / "another name.mp4"
    shutil.copy(STUDIO_WOMAN, renamed)
    before = everything(started.root)

    report = append(started, config(renamed))
    own = append(started, config(WEBCAM_MAN))

    for found in (report, own):
        assert found.new_faces == 0
        assert "there already" in found.summary()
        assert "Nothing new" in found.summary()
    assert everything(started.root) == before


def test_photos_go_into_the_workspace_and_do_not_hide_the_video(started, tmp_path):
    before = faces(started)

    report = append(started, config(holiday(tmp_path)))

    assert report.new_faces == 6
    assert sorted(faces(started).keys() - before.keys()) == [
        "holiday-IMG_0012_0.jpg", "holiday-IMG_0012_1.jpg", "holiday-IMG_0012_2.jpg",
        "holiday-IMG_0012_3.jpg", "holiday-IMG_0012_4.jpg", "holiday-IMG_0013_0.jpg",
    ]  # fmt: skip
    copy = started.photos_dir(SRC) / "holiday" / "IMG_0012.jpg"
    assert copy.read_bytes() == MULTI.read_bytes()
    record = read_face(started.aligned_dir(SRC) / "holiday-IMG_0012_0.jpg").record
    assert record.source_filename == "holiday-IMG_0012.jpg"
    assert (record.provenance["photos"], record.provenance["photo"]) == ("holiday", "IMG_0012.jpg")
    after = faces(started)
    again = extract(started, ExtractConfig(side=SRC, fps=6))
    assert (again.new_frames, again.problems) == (0, [])
    assert faces(started) == after
    whole = extract(started, ExtractConfig(side=SRC))  # the video is still read
    assert whole.new_faces_by_source["data_src.mp4"] == 72 - len(before)
    assert whole.new_faces == 72 - len(before)


def test_starting_over_extracts_the_appended_material_again(started, tmp_path):
    append(started, config(holiday(tmp_path), STUDIO_WOMAN, fps=2))
    before = faces(started)
    shutil.rmtree(started.aligned_dir(SRC))

    # The appended video keeps its own rate; the first is asked for at 6 as before.
    extract(started, ExtractConfig(side=SRC, size=128, fps=None))

    after = faces(started)
    assert {name for name in after if name[0] != "0"} == {name for name in before if name[0] != "0"}


def test_the_same_photos_again_add_nothing_wherever_they_are(started, tmp_path):
    folder = holiday(tmp_path)
    append(started, config(folder))
    other = tmp_path / "elsewhere"
    other.mkdir()
    shutil.copy(MULTI, other / "party.jpg")
    before = everything(started.root)

    for path in (folder, other, other / "party.jpg"):
        report = append(started, config(path))
        assert report.new_faces == 0
        assert "Nothing new" in report.summary()

    assert everything(started.root) == before


def test_photos_added_to_a_folder_later_join_the_others(started, tmp_path):
    folder = holiday(tmp_path)
    append(started, config(folder))
    cv2.imwrite(str(folder / "IMG_0014.png"), frame_of(STUDIO_WOMAN, 90))

    report = append(started, config(folder))

    (source,) = report.sources
    assert (source.name, source.new, source.already_there, source.new_faces) == ("holiday", 1, 2, 1)


def test_folders_of_one_name_and_pictures_of_one_name_stay_apart(started, tmp_path):
    for number, index in enumerate((5, 90)):
        folder = tmp_path / str(number) / "frames"
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / "00001.png"), frame_of(STUDIO_WOMAN, index))
        append(started, config(folder))

    assert {"frames-00001_0.jpg", "frames_2-00001_0.jpg"} <= faces(started).keys()
    numbers = tmp_path / "2"
    numbers.mkdir()
    cv2.imwrite(str(numbers / "00001.png"), frame_of(STUDIO_WOMAN, 120))
    append(started, config(numbers))  # "2-" is the second video's
    assert "photos-2-00001_0.jpg" in faces(started)


def test_a_single_photo_and_a_damaged_one_in_a_folder(started, tmp_path):
    folder = holiday(tmp_path)
    (folder / "broken.jpg").write_bytes(MULTI.read_bytes()[:3000])

    single = append(started, config(folder / "IMG_0013.png"))
    whole = append(started, config(folder))

    assert single.new_faces == 1
    assert (whole.sources[0].new, whole.sources[0].already_there) == (1, 1)
    assert sum("broken.jpg" in problem for problem in whole.problems) == 1
    assert not list(started.photos_dir(SRC).rglob("broken*"))


def test_appending_works_without_any_face_before(workspace, tmp_path):
    report = append(workspace, config(holiday(tmp_path), STUDIO_WOMAN, fps=1, size=96))

    assert report.size == 96
    assert report.faces == report.new_faces > 6
    assert (workspace.root / "data_src.mp4").exists()


def test_a_video_beside_the_sides_own_pictures_is_extracted_and_survives_a_new_run(
    workspace, tmp_path
):
    folder = workspace.frames_dir(SRC)
    folder.mkdir()
    cv2.imwrite(str(folder / "me.png"), frame_of(WEBCAM_MAN, 3))
    extract(workspace, ExtractConfig(side=SRC, size=128))

    report = append(workspace, config(STUDIO_WOMAN, fps=1))
    after = faces(workspace)
    again = extract(workspace, ExtractConfig(side=SRC))

    assert report.new_faces > 10
    assert (again.new_faces, again.problems) == (0, [])
    assert faces(workspace) == after


def test_a_video_that_is_there_as_pictures_is_not_extracted_twice(workspace):
    shutil.copy(WEBCAM_MAN, workspace.root / "data_src.mp4")
    folder = workspace.frames_dir(SRC)
    folder.mkdir()
    for index in range(4):
        cv2.imwrite(str(folder / f"{index + 1:05d}.png"), frame_of(WEBCAM_MAN, index))
    extract(workspace, ExtractConfig(side=SRC, size=128))
    before = faces(workspace)

    report = append(workspace, config(WEBCAM_MAN))

    assert faces(workspace) == before
    assert any("read from its frames" in problem for problem in report.problems)


def test_faces_of_a_faceset_are_copied_with_their_pixels_and_say_where_from(started, tmp_path):
    other = small_faceset(tmp_path / "brad", mask=True, polygons=True)
    before = faces(started)

    report = append(started, config(other, face_type="whole_face"))

    assert report.new_faces == report.sources[0].new == 5
    assert report.problems == ()
    assert before.items() <= faces(started).items()
    for name, original in contents(other).items():
        path = started.aligned_dir(SRC) / f"brad-{name}"
        old, new = read_face(other / name), read_face(path)
        np.testing.assert_array_equal(old.decode(), new.decode())
        # Everything behind the metadata is the same file, byte for byte.
        assert path.read_bytes()[-1000:] == original[-1000:]
        assert new.record.source_filename == f"brad-{old.record.source_filename}"
        assert new.record.xseg_mask == old.record.xseg_mask
        assert len(new.record.polygons) == 2
        np.testing.assert_array_equal(new.record.source_landmarks, old.record.source_landmarks)
        assert dict(new.record.provenance) == {
            "faceset": "brad", "origin": "brad", "original_name": name,
            "original_source": old.record.source_filename,
        }  # fmt: skip


def test_a_face_of_our_own_keeps_what_it_said_of_its_video(started, tmp_path):
    other = new_workspace(tmp_path / "other")
    shutil.copy(STUDIO_WOMAN, other.root / "data_src.mp4")
    extract(other, ExtractConfig(side=SRC, size=128, fps=1))

    append(started, config(other.aligned_dir(SRC)))

    path = next(started.aligned_dir(SRC).glob("data_src-00001_0.jpg"))
    provenance = read_face(path).record.provenance
    assert provenance["original_video"] == "data_src.mp4"
    assert "video" not in provenance  # this workspace has a data_src.mp4 of its own
    assert provenance["frame_index"] == 0


def test_the_same_faces_again_add_nothing_in_whatever_form(started, tmp_path):
    other = small_faceset(tmp_path / "brad")
    append(started, config(other))
    moved = tmp_path / "x" / "angelina"
    moved.mkdir(parents=True)
    for number, path in enumerate(sorted(other.iterdir())):
        shutil.copy(path, moved / f"{number}.jpg")
    pak = tmp_path / "some.pak"
    write_pak(pak, [PakItem(path.name, read_face(path)) for path in sorted(other.iterdir())])
    before = everything(started.root)

    for path in (other, moved, pak, started.aligned_dir(SRC), next(moved.iterdir())):
        report = append(started, config(path))
        assert report.new_faces == 0
        assert "Nothing new" in report.summary()

    assert everything(started.root) == before


def test_faces_that_were_removed_do_not_come_back(started, tmp_path):
    other = small_faceset(tmp_path / "brad")
    append(started, config(other))
    aligned = started.aligned_dir(SRC)
    (aligned / "brad-00001_0.jpg").unlink()
    Trash.of(started, SRC).move([Removal(aligned / "brad-00002_0.jpg", "ugly")])
    small_faceset(other, n=6)

    report = append(started, config(other))

    assert (report.sources[0].new, report.sources[0].already_there) == (1, 5)
    assert sorted(name for name in faces(started) if "brad" in name) == [
        f"brad-0000{n}_0.jpg" for n in (3, 4, 5, 6)
    ]


def test_persons_and_packs_are_read_and_one_name_means_two_frames(started, tmp_path):
    people = tmp_path / "people"
    small_faceset(people / "anna", n=3)
    small_faceset(people / "bert", n=3, first=10)
    for path in (people / "bert").iterdir():
        path.rename(path.with_name(f"0000{int(path.name[:5]) - 10}_0.jpg"))
    pak = tmp_path / "faceset.pak"
    items = [
        PakItem(path.name, read_face(path), person=person)
        for person in ("anna", "bert")
        for path in sorted((people / person).iterdir())
    ]
    write_pak(pak, items)
    twin = new_workspace(tmp_path / "twin")

    report = append(started, config(people))
    append(twin, config(pak))

    assert report.new_faces == 6
    ours = {name for name in faces(started) if name.startswith("people-")}
    assert ours == {f"people-{p}-0000{n}_0.jpg" for p in ("anna", "bert") for n in (1, 2, 3)}
    keys = [key for key in load_faceset(started.aligned_dir(SRC)).frame_keys if "people" in key]
    assert len(set(keys)) == 6
    assert len(faces(twin)) == 6


def test_faces_of_another_type_and_size_become_like_the_sides(started, tmp_path):
    other = new_workspace(tmp_path / "head")
    shutil.copy(STUDIO_WOMAN, other.root / "data_src.mp4")
    extract(other, ExtractConfig(side=SRC, size=192, fps=1, face_type=FaceType.HEAD))

    report = append(started, config(other.aligned_dir(SRC)))

    added = [name for name in faces(started) if name.startswith("data_src")]
    assert len(added) == report.new_faces > 10
    for name in added:
        face = read_face(started.aligned_dir(SRC) / name)
        assert (face.width, face.record.face_type) == (128, FaceType.WHOLE)
    assert any("were changed to whole_face at 128" in problem for problem in report.problems)
    assert append(started, config(other.aligned_dir(SRC))).new_faces == 0


def test_a_wider_type_says_how_much_is_black(started, tmp_path):
    other = new_workspace(tmp_path / "full")
    shutil.copy(STUDIO_WOMAN, other.root / "data_src.mp4")
    extract(other, ExtractConfig(side=SRC, size=128, fps=0.2, face_type=FaceType.FULL))

    report = append(started, config(other.aligned_dir(SRC)))

    # A full face shows (1.597 / 2.131)² = 56 % of a whole face (see FaceType.padding).
    assert any("up to 44 % of their pictures is black" in text for text in report.problems)


def test_asking_for_another_type_than_the_sides_is_refused(started, tmp_path):
    before = everything(started.root)

    for options in ({"face_type": "head"}, {"size": 256}):
        with pytest.raises(FacesetError, match="leave out --face-type"):
            append(started, config(MULTI, **options))

    assert everything(started.root) == before


def test_an_empty_side_takes_the_facesets_own_type_and_size(workspace, tmp_path):
    other = small_faceset(tmp_path / "brad", face_type=FaceType.FULL)

    report = append(workspace, config(other, side=Side.DST))

    assert (report.face_type, report.size) == ("full_face", 128)
    assert contents(other).keys() == {
        name.removeprefix("brad-") for name in faces(workspace, Side.DST)
    }
    assert any("merge goes over" in problem for problem in report.problems)
    mixed = append(workspace, config(MULTI, side=Side.DST))
    assert (mixed.face_type, mixed.size, mixed.new_faces) == ("full_face", 128, 5)


def test_damaged_faces_are_named_and_left_out(started, tmp_path):
    other = small_faceset(tmp_path / "brad")
    whole = (other / "00001_0.jpg").read_bytes()
    (other / "00002_0.jpg").write_bytes(whole[: len(whole) // 2])
    (other / "00003_0.jpg").write_text("no face")
    shutil.copy(MULTI, other / "00004_0.jpg")

    report = append(started, config(other))

    assert report.new_faces == 2
    for name in ("00002_0.jpg", "00003_0.jpg", "00004_0.jpg"):
        assert sum(name in problem for problem in report.problems) == 1
    assert "3" not in {name[:8] for name in faces(started)}


def test_names_of_other_systems_are_no_obstacle(started, tmp_path):
    brad = os.fsencode(tmp_path) + b"/br\xe9d: 100%"  # Latin-1, as old archives hold it
    folder = small_faceset(Path(os.fsdecode(brad)), n=2)
    photos = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xfc"))
    photos.mkdir()
    shutil.copy(MULTI, photos / os.fsdecode(b"caf\xe9?.jpg"))

    report = append(started, config(folder, photos))

    assert report.new_faces == 7
    assert append(started, config(folder, photos)).new_faces == 0
    assert len(travelling_files(started)) > 0  # the copy to a remote takes every name


def test_a_pack_with_names_that_leave_its_folder_is_refused(started, tmp_path):
    face = read_face(small_faceset(tmp_path / "brad", n=1) / "00001_0.jpg")
    before = everything(started.root)
    for name, person in (("../out.jpg", None), ("/etc/out.jpg", None), ("a.jpg", "..")):
        pak = tmp_path / "evil.pak"
        write_pak(pak, [PakItem(name, face, person=person)])

        with pytest.raises(FormatError, match=r"evil\.pak"):
            append(started, config(pak))

    assert everything(started.root) == before


def test_a_packed_side_says_what_to_do(started, tmp_path):
    pack(started, PackConfig(side=SRC))

    with pytest.raises(FacesetError, match="unpack"):
        append(started, config(small_faceset(tmp_path / "brad")))


def test_nothing_is_added_if_one_of_several_paths_is_bad(started, tmp_path):
    good = small_faceset(tmp_path / "brad")
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    empty = tmp_path / "empty"
    empty.mkdir()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(STUDIO_WOMAN.read_bytes()[:20000])
    pak = tmp_path / "faceset.pak"
    write_pak(pak, [])
    rotten = tmp_path / "rotten"
    rotten.mkdir()
    (rotten / "a.jpg").write_bytes(b"\xff\xd8")
    before = everything(started.root)
    bad = {
        tmp_path / "nowhere": WorkspaceError,
        text: MediaError,
        empty: WorkspaceError,
        cut: MediaError,
        pak: FacesetError,
        rotten: MediaError,
        started.root: WorkspaceError,
        started.frames_dir(SRC): WorkspaceError,
    }

    for path, error in bad.items():
        with pytest.raises(error, match=path.name):
            append(started, config(good, WEBCAM_MAN, path))
        assert everything(started.root) == before


def test_the_command_line_speaks_in_sentences(cli: CommandLine, started, tmp_path):
    other = small_faceset(tmp_path / "brad")
    report = cli.report("append", "-w", started.root, "--side", "src", "--from", other, MULTI)
    assert [source["kind"] for source in report["sources"]] == ["faceset", "photos"]
    assert report["new_faces"] == 10

    sentence = cli.refusal("append", "-w", started.root, "--side", "src", "--from", tmp_path / "no")
    assert "--from" in sentence
    assert cli("append", "-w", started.root, "--side", "src").returncode == 2


def test_appended_sources_leave_the_held_out_faces_as_they_were(started, tmp_path):
    extract(started, ExtractConfig(side=SRC, size=128))
    brad = small_faceset(tmp_path / "brad")

    def held_out(known: HeldOutChoice | None) -> tuple[HeldOutChoice, set[str]]:
        faceset = load_faceset(started.aligned_dir(SRC))
        keys = faceset.frame_keys
        choice = choose_held_out(keys, lambda: poses_of(faceset), 0.15, known=known)
        split = split_faces(keys, choice.stretches)
        return choice, {faceset.names[index] for index in split.held_out}

    choice, before = held_out(None)
    assert len(before) >= 8
    append(started, config(STUDIO_WOMAN, holiday(tmp_path), brad, fps=6))

    later, after = held_out(choice)
    assert before <= after
    assert later.stretches[: len(choice.stretches)] == choice.stretches
    # No further face of the first video; the second one, of more than 50, has stretches of its own.
    assert {stretch.video for stretch in later.stretches} == {"/", "/2-"}
    assert {name[:2] for name in after - before} == {"2-"}


def test_photos_travel_with_the_workspace(started, tmp_path):
    append(started, config(holiday(tmp_path)))

    paths = {file.path for file in travelling_files(started)}

    assert "data_src/photos/holiday/IMG_0012.jpg" in paths
    assert {"data_src/append.jsonl", "data_src/extract.jsonl"} <= paths


def test_a_second_process_is_refused_and_does_not_disturb_the_first(started, tmp_path):
    class Meanwhile(Progress):
        refusals = 0

        def task(self, title, *, total, unit, done=0):
            if "Copying" in title or "Extracting" in title:
                for verb, options in (("extract", []), ("append", ["--from", str(MULTI)])):
                    words = [sys.executable, "-m", "dflcolab", verb, "-w", str(started.root),
                             "--side", "src", "--quiet", *options]  # fmt: skip
                    done_ = subprocess.run(words, capture_output=True, text=True, check=False)
                    self.refusals += done_.returncode == 1 and "Another extraction" in done_.stderr
            return super().task(title, total=total, unit=unit, done=0)

    progress = Meanwhile()
    brad = small_faceset(tmp_path / "brad", n=3)

    report = append(started, config(brad, STUDIO_WOMAN, fps=0.2), progress=progress)

    assert progress.refusals == 6  # brad, the video's copy, its extraction
    assert report.new_faces > 4


@pytest.mark.parametrize(
    ("title", "n"),
    [("Looking at brad", 3), ("Copying brad", 4), ("Copying holiday", 1), ("Extracting", 5)],
)
def test_stopped_anywhere_it_goes_on_to_the_same_end(started, tmp_path, title: str, n: int):
    sources = [small_faceset(tmp_path / "brad", n=20), holiday(tmp_path)]
    if title == "Extracting":
        sources.append(STUDIO_WOMAN)
    twin = Workspace(tmp_path / "twin")
    shutil.copytree(started.root, twin.root)
    append(twin, config(*sources, fps=1))

    with pytest.raises(Interrupted):
        append(started, config(*sources, fps=1), progress=StopAfter(n, title=title))
    append(started, config(*sources, fps=1))

    assert faces(started) == faces(twin)
    assert everything(started.photos_dir(SRC)).keys() == everything(twin.photos_dir(SRC)).keys()


def test_killed_again_and_again_nothing_is_doubled_or_lost(started, tmp_path):
    n = 500
    brad = small_faceset(tmp_path / "brad", n=n)
    before = faces(started)
    words = [sys.executable, "-m", "dflcolab", "append", "-w", str(started.root), "--side", "src",
             "--quiet", "--fps", "3", "--from", str(brad), str(STUDIO_WOMAN)]  # fmt: skip
    aligned = started.aligned_dir(SRC)
    reached = n_killed = 0
    for goal in (len(before) + 1, len(before) + 200, len(before) + n + 10):
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            if len(list(aligned.iterdir())) >= goal:
                break
            time.sleep(0.002)
        n_killed += process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert len(faces(started)) >= reached
        reached = len(faces(started))

    assert n_killed >= 2  # else nothing was tried
    report = append(started, config(brad, STUDIO_WOMAN, fps=3))

    after = faces(started)
    assert before.items() <= after.items()
    ours = [name for name in after if name.startswith("brad-")]
    assert sorted(ours) == sorted(f"brad-{path.name}" for path in brad.iterdir())
    pictures = [read_face(aligned / name).decode().tobytes() for name in ours]
    assert len(set(pictures)) == n
    videos = [name for name in after if name.startswith("2-")]
    assert len(videos) == len({read_record(aligned / name).source_filename for name in videos}) > 40
    assert report.faces == len(before) + n + len(videos)
    assert not [path for path in aligned.iterdir() if path.name.startswith(".")]
    groups = itertools.groupby(sorted(name.split("-")[0] for name in after if "-" in name))
    assert {name for name, _ in groups} == {"brad", "2"}
