"""Two machines never both believe that they may write, as far as the place between them allows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from dflcolab.errors import SyncError
from dflcolab.sync import holder as module
from dflcolab.sync.holder import Holder
from dflcolab.sync.lease import Lease
from dflcolab.sync.remote import Remote
from tests.sync.conftest import FaultyFileSystem
from tests.sync.faulty import Cloud

MINUTE = 60.0


class Clock:
    """A clock that somebody looks at; `sleep` moves it."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Machine:
    """A computer with its own name and its own idea of the time."""

    def __init__(self, name: str, monkeypatch: pytest.MonkeyPatch, now: float) -> None:
        self.name = name
        self.clock = Clock(now)
        self._monkeypatch = monkeypatch

    def acquire(self, remote: Remote, **options: Any) -> Lease:
        with self._monkeypatch.context() as patch:
            patch.setattr(module.platform, "node", lambda: self.name)
            options = {"clock": self.clock, "sleep": self.clock.sleep, **options}
            return Lease.acquire(remote, self.name.replace("-", ""), **options)


@pytest.fixture
def laptop(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine("my-laptop", monkeypatch, 5e8)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Its clock is years ahead of the laptop's; nobody may notice."""
    return Machine("cloud-vm", monkeypatch, 2e9)


def lease_files(remote: Remote) -> list[str]:
    return sorted(path.rpartition("/")[2] for path in remote.fs.ls(remote.path("leases"), False))


def test_a_second_machine_is_told_who_writes_and_what_to_do(
    remote: Remote, laptop: Machine, cloud: Machine
):
    laptop.acquire(remote, place="Jupyter")

    with pytest.raises(SyncError) as refused:
        cloud.acquire(remote)

    sentence = str(refused.value)
    assert "the machine my-laptop (Jupyter), since 20" in sentence
    assert "try again in 10 minutes or use --take-over" in sentence
    assert "\n" not in sentence


def test_after_it_was_given_back_the_next_one_has_a_higher_fence(
    remote: Remote, laptop: Machine, cloud: Machine
):
    with laptop.acquire(remote) as first:
        first.check()
    with cloud.acquire(remote) as second:
        second.check()

    assert 0 < first.fence < second.fence
    assert not second.note


def test_the_fence_is_above_that_of_every_manifest(remote: Remote, laptop: Machine):
    assert laptop.acquire(remote, above=41).fence == 42


def test_only_silence_by_the_observers_own_clock_makes_a_lease_stale(
    remote: Remote, laptop: Machine, cloud: Machine, tmp_path: Path
):
    memory = tmp_path / "seen.json"
    holder = laptop.acquire(remote)
    for _ in range(3):
        with pytest.raises(SyncError, match="try again in 10 minutes"):
            cloud.acquire(remote, sightings=memory)
        cloud.clock.sleep(9.5 * MINUTE)
        holder.beat()
    with pytest.raises(SyncError, match="try again in 10 minutes"):
        cloud.acquire(remote, sightings=memory)
    cloud.clock.sleep(8.5 * MINUTE)
    with pytest.raises(SyncError, match="try again in 2 minutes"):
        cloud.acquire(remote, sightings=memory)
    cloud.clock.sleep(2 * MINUTE)

    successor = cloud.acquire(remote, sightings=memory)

    assert "The machine my-laptop" in successor.note
    assert "has been silent for 10 minutes" in successor.note


def test_who_waits_gets_the_lease_of_a_dead_machine(
    remote: Remote, laptop: Machine, cloud: Machine
):
    laptop.acquire(remote)

    lease = cloud.acquire(remote, patience_s=11 * MINUTE)

    assert "silent" in lease.note
    assert 10 * MINUTE <= cloud.clock.now - 2e9 <= 11 * MINUTE


def test_one_that_comes_back_from_the_dead_sees_that_it_lost(
    remote: Remote, laptop: Machine, cloud: Machine
):
    first = laptop.acquire(remote)
    second = cloud.acquire(remote, take_over=True)

    with pytest.raises(SyncError, match="taken over by the machine cloud-vm"):
        first.check()
    first.beat()
    second.check()
    first.release()
    second.check()
    assert second.fence > first.fence
    assert "as you asked" in second.note


def test_one_that_lost_sees_it_even_when_its_successor_has_finished(
    remote: Remote, laptop: Machine, cloud: Machine
):
    first = laptop.acquire(remote)
    cloud.acquire(remote, take_over=True).release()

    with pytest.raises(SyncError, match="taken over"):
        first.check()


def test_one_that_was_silent_too_long_does_not_write(remote: Remote, laptop: Machine):
    lease = laptop.acquire(remote)
    laptop.clock.sleep(10.5 * MINUTE)

    with pytest.raises(SyncError, match="run the same step again"):
        lease.check()


HOLD_AND_WAIT = """
import sys, time
from dflcolab.sync.lease import Lease
from dflcolab.sync.remote import Remote
Lease.acquire(Remote.open(sys.argv[1]), "child")
print("held", flush=True)
time.sleep(60)
"""


def test_the_lease_of_a_killed_program_on_this_machine_is_free_at_once(tmp_path: Path):
    remote = Remote.open(tmp_path)
    command = [sys.executable, "-c", HOLD_AND_WAIT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(SyncError, match="another program on this machine"):
            Lease.acquire(remote, "mine")
        os.kill(child.pid, signal.SIGKILL)

    assert "without giving its lease back" in Lease.acquire(remote, "mine").note


def test_that_one_of_two_claims_was_left_says_nothing_of_the_other(remote: Remote, laptop: Machine):
    laptop.acquire(remote)
    held = remote.path(f"leases/{lease_files(remote)[0]}")
    claim = remote.path("leases/000001-zzzzz-000000.json")
    remote.fs.mv(held, remote.path("leases/000001-aaaaa-000000.json"))
    with remote.fs.open(claim, "wb") as stream:
        stream.write(Holder.here().to_json())

    with pytest.raises(SyncError, match="my-laptop"):
        Lease.acquire(remote, "mine")


def test_one_that_claims_while_another_does_goes_back(remote: Remote, laptop: Machine):
    """The other had a lower number, for it looked before a claim that was given up."""
    looked = threading.Event()
    left = remote.path("leases/000006-zzzzz-000000.json")
    remote.fs.makedirs(remote.path("leases"), exist_ok=True)
    with remote.fs.open(left, "wb") as stream:
        stream.write(Holder.here().to_json())

    def settle(_: float) -> None:
        """Between the claim and the look at the others, the first time."""
        if not looked.is_set():
            looked.set()
            remote.fs.rm_file(left)
            with remote.fs.open(remote.path("leases/000006-aaaaa-000001.json"), "wb") as stream:
                stream.write(Holder(machine="my-laptop").to_json())

    with pytest.raises(SyncError, match="my-laptop"):
        Lease.acquire(remote, "mine", sleep=settle, settle_s=1.0)


def test_of_many_that_claim_at_once_never_two_hold_it(tmp_path: Path):
    inside, most, fences, lost = [0], [0], [], []

    def work(name: str) -> None:
        remote = Remote.open(tmp_path)
        for _ in range(3):
            lease = Lease.acquire(remote, name, patience_s=30, sleep=lambda _: time.sleep(0.002))
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.001)
            try:
                lease.check()
            except SyncError as error:
                lost.append(str(error))
            fences.append(lease.fence)
            inside[0] -= 1
            lease.release()

    threads = [threading.Thread(target=work, args=(f"client{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == [1], lost
    assert not lost
    assert fences == sorted(set(fences))
    assert len(fences) == 18


def test_few_files_stay(remote: Remote, laptop: Machine):
    for _ in range(12):
        lease = laptop.acquire(remote)
        for _ in range(3):
            lease.beat()
        lease.release()

    assert len(lease_files(remote)) == 2


def test_it_beats_by_itself_while_something_long_goes_on(tmp_path: Path):
    remote = Remote.open(tmp_path)
    with Lease.acquire(remote, "mine", beat_s=0.005):
        before = lease_files(remote)
        deadline = time.monotonic() + 10
        while lease_files(remote)[-1:] == before and time.monotonic() < deadline:
            time.sleep(0.01)
        assert lease_files(remote) != before
    assert lease_files(remote)[0].endswith("-end.json")


def test_a_dead_mount_is_one_sentence_and_giving_back_stops_nothing(
    faulty: tuple[Remote, FaultyFileSystem], laptop: Machine, cloud: Machine
):
    remote, filesystem = faulty
    with laptop.acquire(remote) as lease:
        filesystem.left = 0
        with pytest.raises(SyncError, match="is offline"):
            lease.check()
        with pytest.raises(SyncError, match="is offline"):
            lease.beat()
    filesystem.left = None

    with pytest.raises(SyncError, match="is being written by"):
        cloud.acquire(remote)


def test_where_writes_arrive_late_two_may_win_and_one_sees_it_later(
    laptop: Machine, cloud: Machine
):
    drive = Cloud()
    stores = [drive.client(delay=500, staleness=500) for _ in range(2)]
    leases = [
        machine.acquire(Remote(store, "shelf", "shelf"))
        for machine, store in zip((laptop, cloud), stores, strict=True)
    ]
    for lease in leases:
        lease.check()
    for store in stores:
        store.flush()
    for store in stores:
        store.remount()

    assert leases[0].fence == leases[1].fence
    leases[1].check()  # of equal fences the first name in the alphabet keeps it
    with pytest.raises(SyncError, match="taken over by the machine cloud-vm"):
        leases[0].check()


@pytest.mark.parametrize("operation", range(8))
def test_a_claim_that_failed_half_way_keeps_nobody_out(
    faulty: tuple[Remote, FaultyFileSystem], laptop: Machine, operation: int
):
    remote, filesystem = faulty
    filesystem.left = operation
    with pytest.raises(SyncError, match="is offline"):
        laptop.acquire(remote)
    filesystem.left = None

    laptop.acquire(remote).check()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", json.dumps({"machine": "x\nrm -rf <b>" * 99, "pid": "1"}).encode()],
)
def test_what_somebody_else_wrote_into_a_lease_does_no_harm(
    tmp_path: Path, laptop: Machine, content: bytes
):
    (tmp_path / "leases").mkdir()
    (tmp_path / "leases" / "000003-somebody-000002.json").write_bytes(content)
    (tmp_path / "leases" / "000003-somebody-000002 (1).json").write_bytes(content)
    (tmp_path / "leases" / "desktop.ini").write_bytes(content)

    with pytest.raises(SyncError, match="is being written by") as refused:
        laptop.acquire(Remote.open(tmp_path))
    assert len(str(refused.value)) < 400 + len(str(tmp_path))
    assert not set("\n<") & set(str(refused.value))


def test_a_later_process_with_the_same_number_is_another_one():
    parent = os.getppid()
    alive = replace(Holder.here(), pid=parent, started=psutil.Process(parent).create_time())

    assert not alive.has_ended
    assert replace(alive, started=1.0).has_ended
    assert not replace(alive, started=1.0, machine="elsewhere").has_ended


def test_a_client_name_cannot_leave_the_folder():
    with pytest.raises(ValueError, match="cannot name a client"):
        Lease.acquire(Remote(MemoryFileSystem(), "shelf", "shelf"), "../x")
