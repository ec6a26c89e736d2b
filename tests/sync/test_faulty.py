"""The double of Drive does wrong what Drive does wrong, when it is told to."""

from __future__ import annotations

import errno
from pathlib import Path

import fsspec
import pytest

from tests.sync.faults import Fault, Killed, Strike
from tests.sync.faulty import Cloud, FaultyStore
from tests.sync.mounted_folder import MountedFolder


def names(store: FaultyStore) -> list[str]:
    return store.ls("shelf", detail=False)


def test_a_write_is_seen_here_at_once_and_by_others_later():
    cloud = Cloud()
    writer, reader = cloud.client(delay=5), cloud.client()
    writer.pipe_file("shelf/x", b"1")

    assert writer.cat_file("shelf/x") == b"1"
    with pytest.raises(FileNotFoundError):
        reader.cat_file("shelf/x")
    writer.flush()
    assert reader.cat_file("shelf/x") == b"1"


def test_time_brings_it_too():
    cloud = Cloud()
    writer, reader = cloud.client(delay=5), cloud.client()
    writer.pipe_file("shelf/x", b"1")
    for _ in range(5):
        writer.exists("shelf")

    assert reader.exists("shelf/x")


@pytest.mark.parametrize(
    ("fault", "arrives"), [(Fault.CUT, b"12"), (Fault.FLIPPED, b"1235"), (Fault.LOST, None)]
)
def test_the_cache_shows_whole_what_the_cloud_got_otherwise_or_never(
    fault: Fault, arrives: bytes | None
):
    store = FaultyStore(plan=[Strike(0, fault)])
    store.pipe_file("shelf/x", b"1234")
    store.flush()

    assert store.cat_file("shelf/x") == b"1234"
    store.remount()
    assert store.cloud.files.get("shelf/x") == arrives
    assert store.exists("shelf/x") == (arrives is not None)


def test_what_was_not_flushed_dies_with_the_machine_but_not_with_the_program():
    store = FaultyStore(plan=[Strike(3, Fault.CRASH)], delay=100)
    store.pipe_file("shelf/x", b"1")
    with pytest.raises(Killed):
        for _ in range(9):
            store.info("shelf/x")
    store.restart(machine_lost=False)
    assert store.exists("shelf/x")
    store.restart(machine_lost=True)
    assert not store.exists("shelf/x")


def test_two_machines_that_write_one_name_leave_two_files():
    cloud = Cloud()
    first, second = cloud.client(staleness=99), cloud.client(staleness=99)
    first.pipe_file("shelf/x.tar", b"first")
    second.pipe_file("shelf/x.tar", b"second")

    assert (first.cat_file("shelf/x.tar"), second.cat_file("shelf/x.tar")) == (b"first", b"second")
    assert names(second) == ["shelf/x.tar"]
    second.remount()
    assert names(second) == ["shelf/x (1).tar", "shelf/x.tar"]
    assert second.cat_file("shelf/x.tar") == b"first"


def test_a_stale_listing_misses_what_is_new_and_shows_what_is_gone():
    cloud = Cloud()
    writer, reader = cloud.client(), cloud.client(staleness=20)
    writer.pipe_file("shelf/old", b"1")
    reader.remount()
    writer.rm_file("shelf/old")
    writer.pipe_file("shelf/new", b"1")

    assert names(reader) == ["shelf/old"]
    with pytest.raises(FileNotFoundError):
        reader.cat_file("shelf/old")
    for _ in range(20):
        reader.exists("shelf")
    assert names(reader) == ["shelf/new"]


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault.is_error])
def test_an_error_strikes_once_at_its_call(fault: Fault):
    store = FaultyStore(plan=[Strike(1, fault)])
    store.makedirs("shelf")
    with pytest.raises(OSError, match=r".+") as caught:
        store.info("shelf")
    assert caught.value.errno == fault.value
    assert store.info("shelf")["type"] == "directory"


def test_a_dropped_mount_stays_so_until_it_is_mounted_anew():
    store = FaultyStore(plan=[Strike(2, Fault.DROPPED)])
    store.pipe_file("shelf/x", b"1")
    for _ in range(3):
        with pytest.raises(OSError, match="not connected"):
            store.ls("shelf")
    store.remount()
    assert names(store) == ["shelf/x"]


def test_a_torn_write_leaves_half_and_an_error():
    store = FaultyStore(plan=[Strike(0, Fault.TORN)])
    with pytest.raises(OSError, match=r".+") as caught:
        store.pipe_file("shelf/x", b"1234")
    assert caught.value.errno == errno.EIO
    assert store.cat_file("shelf/x") == b"12"


def test_a_hang_takes_its_time():
    waited: list[float] = []
    store = FaultyStore(plan=[Strike(0, Fault.HANG)], hang_s=30, sleep=waited.append)
    store.exists("shelf")
    assert waited == [30]


def test_the_bin_counts_against_the_quota():
    store = FaultyStore(Cloud(quota=10))
    store.pipe_file("shelf/x", b"12345678")
    store.rm_file("shelf/x")
    with pytest.raises(OSError, match=r".+") as caught:
        store.pipe_file("shelf/y", b"123")
    assert caught.value.errno == errno.EDQUOT
    store.cloud.bin_bytes = 0
    store.pipe_file("shelf/y", b"123")


def test_it_is_a_file_system_of_fsspec_and_can_lie_over_a_folder(tmp_path: Path):
    store = fsspec.filesystem("faulty", cloud=Cloud(fsspec.get_mapper(str(tmp_path))))
    store.pipe_file("/shelf/a/x", b"1")

    assert (tmp_path / "shelf" / "a" / "x").read_bytes() == b"1"
    assert store.find("shelf") == ["shelf/a/x"]
    assert store.isdir("shelf/a")
    with store.open("faulty://shelf/a/x", "rb") as stream:
        assert stream.read(10) == b"1"
    with pytest.raises(FileExistsError):
        store.open("shelf/a/x", "xb")
    store.rm("shelf", recursive=True)
    assert not any(tmp_path.rglob("x"))


def test_a_plain_folder_shows_what_the_cloud_has_after_a_remount(tmp_path: Path):
    store = FaultyStore(plan=[Strike(0, Fault.LOST)], delay=9)
    mount = MountedFolder(store, tmp_path)
    (tmp_path / "a").write_bytes(b"1")
    mount.absorb()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c").write_bytes(b"2")

    mount.flush()
    assert (tmp_path / "a").exists()
    mount.remount()
    assert [path.name for path in tmp_path.rglob("*")] == ["b", "c"]
