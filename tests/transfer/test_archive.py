"""Archives come out whole or not at all, and never anywhere else."""

from __future__ import annotations

import errno
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dflcolab.errors import (
    DFLColabError,
    FormatError,
    Interrupted,
    StorageError,
    UnsafeFileError,
    WorkspaceError,
)
from dflcolab.progress import Progress
from dflcolab.transfer.archive import unpack
from dflcolab.transfer.archive_entries import Limits
from tests.stopping import StopAfter
from tests.transfer.hostile import (
    DEVICE,
    FIFO,
    FOLDER,
    HARD,
    LINK,
    Item,
    overlapping_zip,
    tar_of,
    zip_of,
)

GOOD = (Item("workspace", kind=FOLDER), Item("workspace/a.txt", b"one"), Item("workspace/b/c.txt"))
TAR_MODES = ("w", "w:gz", "w:xz", "w:bz2")


def everything(folder: Path) -> dict[str, bytes]:
    """Every file below a folder; links would be seen as what they are."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = b"-> " + bytes(path.readlink())
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


@pytest.fixture
def unpacked(tmp_path):
    """Unpack bytes; with them the whole of the world around the target."""

    def unpacked(data: bytes, name: str = "w.zip", **more):
        archive = tmp_path / name
        archive.write_bytes(data)
        return unpack(archive, tmp_path / "out" / "target", **more)

    return unpacked


def refused(tmp_path: Path, unpacked, data: bytes, error: type[DFLColabError], words: str, **more):
    with pytest.raises(error, match=words) as caught:
        unpacked(data, **more)
    assert "\n" not in str(caught.value)
    assert "w.zip" in str(caught.value)
    assert everything(tmp_path).keys() == {"w.zip"}


@pytest.mark.parametrize(
    "data",
    [zip_of(*GOOD), zip_of(*GOOD, compression=zipfile.ZIP_STORED),
     zip_of(*GOOD, compression=zipfile.ZIP_LZMA)] + [tar_of(*GOOD, mode=m) for m in TAR_MODES],
)  # fmt: skip
def test_good_ones_come_out_whole_whatever_their_name(unpacked, tmp_path, data):
    files = unpacked(data, "faces.unknown")

    target = tmp_path / "out" / "target"
    assert everything(target) == {"workspace/a.txt": b"one", "workspace/b/c.txt": b"x"}
    assert sorted(files) == [target / "workspace/a.txt", target / "workspace/b/c.txt"]
    assert not files[0].stat().st_mode & 0o6111  # rights of the archive are not taken over
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["target"]


@pytest.mark.parametrize("make", [zip_of, tar_of])
@pytest.mark.parametrize(
    ("items", "words"),
    [
        pytest.param(
            [Item("/etc/evil")], "absolute path", marks=pytest.mark.bad_day("archive-absolute")
        ),
        ([Item("\\\\server\\evil")], "absolute path"),
        ([Item("C:\\evil")], "absolute path"),
        ([Item("c:evil")], "absolute path"),
        pytest.param([Item("../evil")], "leads out", marks=pytest.mark.bad_day("archive-outside")),
        ([Item("a/../../evil")], "leads out"),
        ([Item("a\\..\\..\\evil")], "leads out"),
        ([Item("l", b"/etc", LINK), Item("l/evil")], "link or a device"),
        ([Item("p", kind=FIFO)], "link or a device"),
        ([Item("d", kind=DEVICE)], "link or a device"),
        pytest.param(
            [Item("a.jpg"), Item("a.jpg")], "twice", marks=pytest.mark.bad_day("archive-twice")
        ),
        ([Item("model/a.npy"), Item("Model/A.npy")], "two spellings"),
        ([Item("a"), Item("a/b")], "twice"),
        ([Item("stra\u00dfe"), Item("STRASSE")], "two spellings"),
        ([Item("x" * 300)], "too long"),
        ([Item("a/" * 60 + "b")], "too long"),
        ([Item("new\nline")], "no usable name"),
    ],
)
def test_hostile_entries_are_refused_before_anything_is_written(
    tmp_path, unpacked, make, items, words
):
    refused(tmp_path, unpacked, make(*GOOD, *items), UnsafeFileError, words)


@pytest.mark.bad_day("archive-link")
def test_hard_links_of_tars_are_refused(tmp_path, unpacked):
    data = tar_of(*GOOD, Item("h", b"/etc/passwd", HARD))
    refused(tmp_path, unpacked, data, UnsafeFileError, "link or a device")


@pytest.mark.bad_day("archive-bomb", "archive-many")
def test_bombs(tmp_path, unpacked):
    small = Limits(honest=1 << 20)
    for data in (zip_of(Item("a", bytes(8 << 20))), *(
        tar_of(Item("a", bytes(8 << 20)), mode=mode) for mode in TAR_MODES[1:]
    )):  # fmt: skip
        refused(tmp_path, unpacked, data, UnsafeFileError, "far more", limits=small)
    refused(tmp_path, unpacked, overlapping_zip(), UnsafeFileError, "far more")
    many = zip_of(*(Item(str(i)) for i in range(30)))
    refused(tmp_path, unpacked, many, UnsafeFileError, "more than 20", limits=Limits(files=20))


def test_a_tar_whose_header_claims_gigabytes_does_not_fill_the_memory(tmp_path, unpacked):
    head = tarfile.TarInfo("x")
    head.type, head.size = tarfile.XHDTYPE, 6 << 30
    data = head.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20)
    refused(tmp_path, unpacked, data, UnsafeFileError, "far more")


@pytest.mark.bad_day("archive-damaged-by", "archive-size-lies")
def test_sizes_that_lie(tmp_path, unpacked):
    """The size in the directory is smaller or larger than what the data unpacks to."""
    for size in (4000, 6000):
        data = bytearray(zip_of(Item("a", os.urandom(5000))))
        for mark, at in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
            start = data.index(mark) + at
            data[start : start + 4] = size.to_bytes(4, "little")
        refused(tmp_path, unpacked, bytes(data), FormatError, "size|damaged|cut off")


@pytest.mark.parametrize("data", [zip_of(*GOOD), *(tar_of(*GOOD, mode=m) for m in TAR_MODES)])
def test_cut_off_ones_leave_nothing(tmp_path, unpacked, data):
    useful = len(data.rstrip(b"\0"))
    for share in (0.3, 0.6, 0.9):
        cut = data[: int(useful * share)]
        refused(tmp_path, unpacked, cut, FormatError, "damaged or cut off")


@pytest.mark.bad_day("archive-damaged")
def test_a_tar_cut_between_two_files_is_noticed(tmp_path, unpacked):
    data = tar_of(*GOOD)
    refused(tmp_path, unpacked, data[:1536], FormatError, "damaged or cut off")


def test_a_flipped_bit_leaves_nothing(tmp_path, unpacked):
    data = bytearray(zip_of(Item("a", os.urandom(5000)), compression=zipfile.ZIP_STORED))
    data[1000] ^= 1
    refused(tmp_path, unpacked, bytes(data), FormatError, "damaged")


@pytest.mark.bad_day("archive-password", "archive-rar", "archive-other")
def test_protected_and_foreign_ones(tmp_path, unpacked):
    data = bytearray(zip_of(*GOOD))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    refused(tmp_path, unpacked, bytes(data), FormatError, "password")
    refused(tmp_path, unpacked, b"Rar!\x1a\x07\x00" + bytes(99), FormatError, "pack it as a zip")
    refused(tmp_path, unpacked, b"7z\xbc\xaf\x27\x1c" + bytes(99), FormatError, "pack it as a zip")
    refused(tmp_path, unpacked, b"<html></html>", FormatError, "is a web page")


def test_japanese_and_other_names(unpacked, tmp_path):
    """Windows writes cp932 without a mark; others write UTF-8 without one, or DOS' cp437."""
    for wanted, encoding in (
        ("顔/動画ソ.mp4", "cp932"), ("gesicht_groß.mp4", "utf-8"), ("café.mp4", "cp437")
    ):  # fmt: skip
        stand_in = "".join(f"{byte:c}" for byte in range(65, 65 + len(wanted.encode(encoding))))
        data = zip_of(Item(stand_in)).replace(stand_in.encode(), wanted.encode(encoding))
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        assert [path.name for path in unpacked(data)] == [Path(wanted).name]


@pytest.mark.bad_day("no-room")
def test_a_full_disk_is_seen_first(tmp_path, unpacked, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 100 << 20))
    refused(tmp_path, unpacked, zip_of(*GOOD), StorageError, "too full for what")


@pytest.mark.bad_day("archive-drive-gone")
def test_a_drive_that_goes_away_is_named(tmp_path, unpacked, monkeypatch):
    def gone(*_):
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    monkeypatch.setattr(zipfile.ZipExtFile, "read", gone)
    refused(tmp_path, unpacked, zip_of(*GOOD), StorageError, "its drive does not answer")


@pytest.mark.bad_day("archive-target-exists")
def test_a_stop_leaves_nothing_and_files_are_never_overwritten(tmp_path, unpacked):
    data = zip_of(Item("a", os.urandom(3 << 20)), Item("b"))
    with pytest.raises(Interrupted):
        unpacked(data, progress=StopAfter(1, title="Unpacking"))
    assert everything(tmp_path).keys() == {"w.zip"}
    unpacked(data)
    with pytest.raises(WorkspaceError, match="exists already"):
        unpacked(data)


def test_what_a_killed_call_left_does_not_disturb(tmp_path, unpacked):
    (tmp_path / "out" / "target.unpacking" / "half").mkdir(parents=True)
    unpacked(zip_of(*GOOD))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["target"]


def test_leavings_of_file_browsers_are_left_out(tmp_path, unpacked):
    unpacked(zip_of(*GOOD, Item("__MACOSX/workspace/._a.txt"), Item("workspace/.DS_Store")))
    assert len(everything(tmp_path / "out" / "target")) == 2


_PARTS = st.sampled_from(
    ["a", "A", "b", "..", ".", "", "/", "\\", "C:", "~", "l", "out", "target", "é", "\u202e", "..."]
)
_NAMES = st.lists(_PARTS, min_size=1, max_size=5).flatmap(
    lambda parts: st.sampled_from(["/", "\\", ""]).map(lambda sign: sign.join(parts) or "a")
)
_KINDS = st.sampled_from(["file", "file", "file", "folder", LINK, HARD, FIFO])
_TARGETS = st.sampled_from([b"..", b"/", b"a", b"../../victim", b"/etc/passwd"])
_ITEMS = st.lists(st.builds(Item, _NAMES, _TARGETS, _KINDS), max_size=6)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(items=_ITEMS, mode=st.sampled_from(["zip", *TAR_MODES[:2]]), flips=st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=3))  # fmt: skip
def test_nothing_is_ever_written_outside_of_the_target(items, mode, flips):
    data = bytearray(zip_of(*items) if mode == "zip" else tar_of(*items, mode=mode))
    for share, mask in flips:
        data[int(share * len(data))] ^= mask
    with tempfile.TemporaryDirectory() as place:
        world = Path(place)
        (world / "victim").write_bytes(b"precious")
        (world / "in").mkdir()
        (world / "in" / "w").write_bytes(data)
        target = world / "out" / "target"
        before = everything(world)
        files, refusal = [], ""
        try:
            files = unpack(world / "in" / "w", target, progress=Progress())
        except DFLColabError as error:
            refusal = str(error)
        assert "\n" not in refusal
        after = everything(world)
        assert {name: after[name] for name in before} == before
        new = {world / name for name in after.keys() - before.keys()}
        assert new == set(files)
        assert all(path.resolve().is_relative_to(target.resolve()) for path in new)
        assert all(path.is_file() and not path.is_symlink() for path in new)
