"""The two-machine test can fail: bugs that are put in on purpose are found by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from dflcolab.errors import SyncError
from dflcolab.sync import generations
from dflcolab.sync import prune as prune_module
from dflcolab.sync import push as push_module
from dflcolab.sync.damage import Damage
from dflcolab.sync.manifest import Manifest, Stored
from dflcolab.sync.memory import Memory
from dflcolab.sync.remote import Remote
from dflcolab.sync.retention import Retention
from dflcolab.sync.streams import Stream
from dflcolab.sync.upload import Uploads
from tests.sync import test_store_properties as properties
from tests.sync.faults import Fault, Strike
from tests.sync.test_store_properties import CI, LONG, HonestCloud, TwoMachines
from tests.sync.two_machines import PATHS


def manifest_before_packs(patch: pytest.MonkeyPatch) -> None:
    in_parallel, write_manifest = push_module.in_parallel, push_module.write_manifest
    waiting: list[Callable[[], object]] = []

    def promise(streams: Sequence[Stream], write: Any, **options: Any) -> list[Stored]:
        waiting.append(lambda: in_parallel(streams, write, **options))
        hashed = [(stream, stream.sha256()) for stream in streams]
        return [Stored(s.names(digest, 0)[0], s.size, digest) for s, digest in hashed]

    def manifest_first(remote: Remote, manifest: Manifest) -> None:
        with patch.context() as inner:
            inner.setattr(generations, "first_missing", lambda remote, manifest: None)
            write_manifest(remote, manifest)
        waiting.pop()()

    patch.setattr(push_module, "in_parallel", promise)
    patch.setattr(push_module, "write_manifest", manifest_first)


def prune_that_ignores_the_other_machine(patch: pytest.MonkeyPatch) -> None:
    list_generations, prune = prune_module.list_generations, prune_module.prune

    def prune_own(remote: Remote, client: str, *arguments: Any, **options: Any) -> Any:
        def own(remote: Remote) -> Any:
            return [name for name in list_generations(remote) if name.client == client]

        with patch.context() as inner:
            inner.setattr(prune_module, "list_generations", own)
            return prune(remote, client, *arguments, **options)

    patch.setattr(properties, "prune", prune_own)


def no_hash_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Remote, "matches", lambda self, stored, on_bytes=None: self.holds(stored))


def damage_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Damage, "add", lambda self, paths: None)


def marks_are_trusted(patch: pytest.MonkeyPatch) -> None:
    """As on an ordinary folder: what the mount shows is there."""

    def by_marks(self: Any, remote: Remote, whole: list[Manifest], client: str) -> Any:
        return self._may_go(remote, whole, client, Retention())

    patch.setattr(prune_module._Seen, "_may_go_from_drive", by_marks)


def a_kill_between(world: HonestCloud) -> None:
    world.start()
    world.push(0, {PATHS[0]: b"red"}, [Strike(0, Fault.CRASH, "packs/")], False, False, "pull")
    world.a_manifest_stands_for_whole_objects()


def two_lines_and_a_day(world: TwoMachines) -> None:
    world.start(0, 0)
    for which, data in ((0, b"red"), (1, b"sky")):
        world.push(which, {PATHS[0]: data}, [], True, False, "pull")
        world.confirm(which, [])
    world.a_day_of_tidying(1, 3)
    world.what_was_confirmed_comes_back()


def an_upload_that_is_lost(world: TwoMachines) -> None:
    confirmed_then(world, Fault.LOST)


def an_upload_that_is_altered(world: TwoMachines) -> None:
    confirmed_then(world, Fault.FLIPPED)


def confirmed_then(world: TwoMachines, fault: Fault) -> None:
    world.start(0, 0)
    world.push(0, {PATHS[0]: b"red"}, [], False, False, "pull")
    world.confirm(0, [])
    world.push(0, {PATHS[0]: b"sky"}, [Strike(0, fault, "packs/")], False, False, "pull")
    world.prune(0, [], 1, False)
    world.what_was_confirmed_comes_back()


def a_flipped_byte(world: TwoMachines) -> None:
    world.start(0, 0)
    world.push(0, {PATHS[0]: b"red"}, [Strike(0, Fault.FLIPPED, "packs/")], False, False, "pull")
    world.confirm(0, [])
    world.what_was_confirmed_comes_back()


BUGS = [
    (manifest_before_packs, HonestCloud, a_kill_between),
    (prune_that_ignores_the_other_machine, TwoMachines, two_lines_and_a_day),
    (no_hash_check, TwoMachines, a_flipped_byte),
    (damage_is_forgotten, TwoMachines, a_flipped_byte),
    (marks_are_trusted, TwoMachines, an_upload_that_is_lost),
    (marks_are_trusted, TwoMachines, an_upload_that_is_altered),
]


def play(world: type[TwoMachines], scene: Callable[[Any], None]) -> None:
    """A scene and its end, where everything must be well again."""
    machine = world()
    try:
        scene(machine)
    except BaseException:
        machine.world.close()
        raise
    machine.teardown()


@pytest.mark.parametrize(("bug", "world", "scene"), BUGS, ids=lambda value: value.__name__)
def test_a_scene_that_goes_well_goes_wrong_with_the_bug(
    bug: Callable[[pytest.MonkeyPatch], None],
    world: type[TwoMachines],
    scene: Callable[[Any], None],
    monkeypatch: pytest.MonkeyPatch,
):
    play(world, scene)
    bug(monkeypatch)
    with pytest.raises((AssertionError, SyncError)):
        play(world, scene)


@pytest.mark.skipif(not LONG, reason="takes minutes: make soak")
@pytest.mark.parametrize(
    ("bug", "world"),
    dict.fromkeys((bug, world) for bug, world, _ in BUGS),
    ids=lambda value: value.__name__,
)
def test_the_bug_is_found_without_being_told_where(
    bug: Callable[[pytest.MonkeyPatch], None],
    world: type[TwoMachines],
    monkeypatch: pytest.MonkeyPatch,
):
    bug(monkeypatch)
    # Found is enough: the example is not made small, and no second one is looked for.
    quick = settings(CI, max_examples=5000, phases=[Phase.generate], report_multiple_bugs=False)

    with pytest.raises((AssertionError, SyncError)):
        run_state_machine_as_test(world, settings=quick)


def test_the_name_of_a_copy_that_never_arrived_is_not_given_again():
    def scene(world: TwoMachines) -> None:
        world.start(200, 0)
        for data in (b"red", b"sky"):
            world.push(0, {PATHS[0]: data}, [], True, False, "pull")
            world.mount_anew(0, False)
        assert len(world.expected) == 2

    play(TwoMachines, scene)


def test_what_a_copy_that_is_shown_late_uses_stays_and_goes_when_it_is_really_unused():
    """The second machine does not see yet that the first one's new copy uses an old one's object."""

    def scene(world: TwoMachines) -> None:
        world.start(0, 1000)
        old, other, third = PATHS[:3]
        world.push(0, {old: b"red"}, [], False, False, "pull")
        world.mount_anew(1, True)
        world.pull(1, [], False)
        world.push(1, {other: b"sky"}, [], True, False, "pull")
        world.push(1, {old: b"sky"}, [], True, False, "pull")
        world.confirm(1, [])
        world.mount_anew(0, True)
        world.push(0, {third: b"red"}, [], True, False, "pull")
        world.confirm(0, [])
        world.prune(1, [], 1, False)
        assert not any("000001-" in path for path in world.world.cloud.files)
        world.what_was_confirmed_comes_back()
        objects = sum("packs/" in path for path in world.world.cloud.files)
        for _ in range(2):
            world.time_passes(25 * 60)
            world.confirm(1, [])
            world.prune(1, [], 1, False)
        assert sum("packs/" in path for path in world.world.cloud.files) < objects

    play(TwoMachines, scene)


def test_a_look_that_finds_damage_trusts_no_note_of_an_unfinished_push():
    """Two copies of the end heal what three pushes with bad uploads left (found by `make soak`)."""

    def scene(world: TwoMachines) -> None:
        world.start(0, 0)
        bad = [Strike(0, Fault.FLIPPED, "packs/"), Strike(0, Fault.EIO, "generations/0")]
        world.push(0, {PATHS[0]: b"red"}, bad, False, False, "pull")
        assert not world.expected
        machine = world.world.machines[0]
        noted = Uploads(Memory(machine.root), machine.remote)
        assert noted.known(())[0]
        world.push(1, {PATHS[0]: b"sky"}, [Strike(0, Fault.LOST, "packs/")], True, False, "pull")
        world.confirm(0, [])
        assert not noted.known(())[0]

    play(TwoMachines, scene)


def test_an_unnoted_object_that_was_damaged_is_written_anew():
    """The manifest was written, then the mount broke: the push failed, its list of objects stayed."""

    def scene(world: TwoMachines) -> None:
        world.start(0, 0)
        breaks = [Strike(0, Fault.FLIPPED, "packs/"), Strike(7, Fault.NOT_CONNECTED, "files/")]
        world.push(0, {"result.mp4": b"red"}, breaks, False, False, "pull")
        assert not world.expected
        assert any("generations/" in path for path in world.world.cloud.files)

    play(TwoMachines, scene)
