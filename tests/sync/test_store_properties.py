"""Whatever two machines, a Drive and bad luck do: what was confirmed comes back bit for bit.

A generation counts as confirmed here when every byte of it was read back after a flush and a fresh
mount, by the machine that made it, or by another one once it is half a day old or its maker has gone.
From then on it must be restored as it was pushed, until `prune` says by its policy that it may go, and
then a newer one is whole. What comes back is always the state of a workspace at one push, never a mixture of two.

The usual run replays the same examples; `DFLCOLAB_STORE_EXAMPLES=5000` (see `make soak`) draws so many
new ones. Faults strike at calls that hypothesis draws; during a hang the other machine does something. Random
names, the clock and the order of transfers are fixed, so that every failure replays.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dflcolab.errors import DFLColabError
from dflcolab.sync.confirmed import Confirmed
from dflcolab.sync.damage import Damage
from dflcolab.sync.generations import list_generations
from dflcolab.sync.manifest import GenerationName
from dflcolab.sync.memory import Memory
from dflcolab.sync.prune import SETTLED_S, prune
from dflcolab.sync.pull import pull
from dflcolab.sync.push import push
from dflcolab.sync.retention import Retention
from dflcolab.sync.verify import verify
from tests.sync.faults import Fault, Killed, plans
from tests.sync.two_machines import DATA, PATHS, Contents, Machine, OneAtATime, World, contents_of

FOLDERS = ("packs/", "objects/", "files/", "generations/", "leases/")
# Uploads that go wrong unseen are rare among all faults, and the worst: some pushes get them alone.
UNSEEN = plans((Fault.CUT, Fault.FLIPPED, Fault.LOST), on=FOLDERS[:4], within=1)
PLANS = plans(on=("", *FOLDERS)) | UNSEEN
WHICH = st.integers(0, 1)
NEVER = 1000
LONG = "DFLCOLAB_STORE_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("DFLCOLAB_STORE_EXAMPLES", "200"))
# Nothing that was flushed is lost or altered: then a manifest in the cloud stands for whole objects.
HONEST = tuple(
    fault for fault in Fault if fault not in (Fault.CUT, Fault.FLIPPED, Fault.LOST, Fault.LATE)
)


class TwoMachines(RuleBasedStateMachine):
    """Any sequence of the rules, with any faults."""

    faults = tuple(Fault)

    @initialize(delay=st.sampled_from([0, 5, 200]), staleness=st.sampled_from([0, 10, 200]))
    def start(self, delay: int, staleness: int) -> None:
        self.world = World(delay=delay, staleness=staleness)
        self.states: list[Contents] = []
        self.expected: dict[str, Contents] = {}
        self.confirmed: dict[str, Contents] = {}
        self.pruned_to = NEVER
        self.checked: dict[str, bytes] | None = None

    # What people and programs do

    @rule(
        which=WHICH,
        edits=st.dictionaries(st.sampled_from(PATHS), st.sampled_from([*DATA, None]), max_size=3),
        plan=PLANS,
        take_over=st.booleans(),
        machine_lost=st.booleans(),
        meanwhile=st.sampled_from(["push", "prune", "pull"]),
        last=st.sampled_from([None, None, 1, 2]),
    )
    def push(self, which, edits, plan, take_over, machine_lost, meanwhile, last=None) -> None:
        machine, other = self.world.machines[which], self.world.machines[1 - which]
        for path, data in edits.items():
            machine.edit(path, data)
        self.world.meanwhile = partial(self._meanwhile, other, meanwhile)
        with self._mishaps(machine, plan, machine_lost=machine_lost):
            self._push(machine, take_over=take_over)
            if last is not None:  # as the program does after each push
                self._prune(machine, last=last)

    @rule(which=WHICH, plan=PLANS, machine_lost=st.booleans())
    def pull(self, which, plan, machine_lost) -> None:
        machine = self.world.machines[which]
        before, name = machine.contents(), None
        with self._mishaps(machine, plan, machine_lost=False):
            name = pull(machine.remote, machine.root).name
        if name is None:
            assert machine.contents() == before, "a pull that failed left a mixture"
        else:
            assert self._is_state(name, machine.contents(), exact=False)

    @rule(which=WHICH, plan=PLANS, newest=st.integers(0, 5))
    def restore(self, which, plan, newest) -> None:
        machine, folder = self.world.machines[which], self.world.fresh_folder()
        name = None
        with self._mishaps(machine, plan, machine_lost=False):
            names = list_generations(machine.remote)
            if names:
                wanted = str(names[min(newest, len(names) - 1)])
                name = pull(machine.remote, folder, generation=wanted).name
                assert name == wanted
        assert (
            contents_of(folder) == {} if name is None else self._is_state(name, contents_of(folder))
        )

    @rule(which=WHICH, plan=PLANS)
    def confirm(self, which, plan) -> None:
        machine = self.world.machines[which]
        machine.store.flush()
        machine.store.remount()
        with self._mishaps(machine, plan, machine_lost=False):
            for name in list_generations(machine.remote)[:3]:
                self._verify(machine, str(name))

    @rule(which=WHICH, plan=PLANS, last=st.integers(1, 3), machine_lost=st.booleans())
    def prune(self, which, plan, last, machine_lost) -> None:
        machine, other = self.world.machines[which], self.world.machines[1 - which]
        self.world.meanwhile = partial(self._meanwhile, other, "push")
        with self._mishaps(machine, plan, machine_lost=machine_lost):
            self._prune(machine, last=last)

    @rule(which=WHICH, flushed=st.booleans())
    def mount_anew(self, which: int, flushed: bool) -> None:
        store = self.world.machines[which].store
        if flushed:
            store.flush()
        store.remount()

    @rule(minutes=st.sampled_from([1, 11, 25 * 60]))
    def time_passes(self, minutes: int) -> None:
        self.world.pass_time(60 * minutes)

    @rule(which=WHICH, last=st.integers(1, 3))
    def a_day_of_tidying(self, which, last) -> None:
        """A machine removes old copies again and again: what is unused goes after a while."""
        machine = self.world.machines[which]
        for hours in (25, 2):
            self.world.pass_time(3600 * hours)
            with self._mishaps(machine, [], machine_lost=False):
                self._prune(machine, last=last)

    # What must hold

    @invariant()
    def what_was_confirmed_comes_back(self) -> None:
        if self.checked == self.world.cloud.files:
            return
        self.checked = dict(self.world.cloud.files)
        self._let_go_what_was_pruned()
        for name, state in self.confirmed.items():
            assert self._from_the_cloud(name) == (name, state)
        if self.confirmed:
            name, state = self._from_the_cloud("")
            assert self._is_state(name, state)
            assert _order(name) >= max(map(_order, self.confirmed))

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self._all_is_well_in_the_end()
        finally:
            self.world.close()

    def _all_is_well_in_the_end(self) -> None:
        """Once nothing goes wrong any more, a push can be confirmed."""
        for machine in self.world.machines:
            machine.store.restart(machine_lost=False)
            machine.store.flush()
            machine.store.remount()
        self.what_was_confirmed_comes_back()
        for machine in self.world.machines:
            self.world.pass_time(3600)
            # One may build on damage in the newest copy, the next on damage in its own last one.
            for _ in range(3):
                with self.world.at(machine):
                    name = self._push(machine, take_over=True)
                machine.store.flush()
                machine.store.remount()
                self._verify(machine, name)
            assert name in self.confirmed, "after all faults a push still cannot be confirmed"
        self.what_was_confirmed_comes_back()

    # Steps of the rules

    @contextmanager
    def _mishaps(self, machine: Machine, plan, *, machine_lost: bool) -> Iterator[None]:
        """Sentences for the user are fine, a killed program starts again, all else is a bug."""
        plan = [strike for strike in plan if strike.fault in self.faults]
        with self.world.at(machine, plan):
            try:
                yield
            except DFLColabError:
                pass
            except Killed:
                pass
        if machine.store.dead:
            machine.store.restart(machine_lost=machine_lost)
            if machine_lost:
                machine.lose()

    def _push(self, machine: Machine, *, take_over: bool) -> str:
        state = machine.contents()
        self.states.append(state)
        name = push(machine.workspace, machine.remote, take_over=take_over, pack_bytes=1000).name
        assert self.expected.setdefault(name, state) == state
        return name

    def _meanwhile(self, machine: Machine, what: str) -> None:
        with suppress(DFLColabError), self.world.at(machine):
            if what == "push":
                self._push(machine, take_over=True)
            elif what == "pull":
                pull(machine.remote, machine.root)
            else:
                self._prune(machine, last=1)

    def _prune(self, machine: Machine, *, last: int) -> None:
        self.pruned_to = min(self.pruned_to, last)
        policy = Retention(last=last, best=False, days=0)
        memory = Memory(machine.root)
        prune(
            machine.remote,
            memory.client,
            policy,
            take_over=True,
            sightings=memory.sightings,
            unused_since=memory.unused_since,
            damage=Damage(memory, machine.remote),
            confirmed=Confirmed(memory, machine.remote),
        )

    def _let_go_what_was_pruned(self) -> None:
        """A confirmed generation may be missing if a newer one is whole.

        Where nothing is lost, as many as the policy says are.
        """
        remote = OneAtATime(self.world.cloud.client(), "shelf", "shelf")
        names = [str(name) for name in list_generations(remote)]
        for name in sorted(self.confirmed.keys() - names, key=_order):
            newer = [other for other in names if _order(other) > _order(name)]
            whole = [o for o in newer if not verify(remote, generation=o).damaged]
            n_needed = self.pruned_to if self.faults == HONEST else min(self.pruned_to, 1)
            assert self.pruned_to < NEVER, f"{name} went without a prune"
            assert len(whole) >= n_needed, f"{name} was removed too early"
            del self.confirmed[name]

    def _verify(self, machine: Machine, name: str) -> None:
        report = verify(machine.remote, generation=name, fresh=True)
        report.note(Memory(machine.root), machine.remote)
        if not report.damaged and self._counts(name, machine):
            self._confirmed(name)

    def _counts(self, name: str, machine: Machine) -> bool:
        """False for a copy that its maker may still thin out, not knowing that it was confirmed."""
        makers = {other.client for other in self.world.machines if other is not machine}
        written = self.world.cloud.written[f"shelf/generations/{name}.json"]
        return _order(name).client not in makers or self.world.now - written >= SETTLED_S

    def _confirmed(self, name: str) -> None:
        if name not in self.expected:
            # Its push was killed before it could tell the name.
            _, state = self._from_the_cloud(name)
            assert state in self.states, f"{name} is a mixture"
            self.expected[name] = state
        self.confirmed[name] = self.expected[name]

    def _from_the_cloud(self, name: str) -> tuple[str, Contents]:
        """What an empty machine gets with a fresh mount and no faults; "" for the newest."""
        folder = self.world.fresh_folder()
        remote = OneAtATime(self.world.cloud.client(), "shelf", "shelf")
        found = pull(remote, folder, generation=name).name
        return found, contents_of(folder)

    def _is_state(self, name: str, state: Contents, *, exact: bool = True) -> bool:
        """True if it is what was pushed under this name (more, where others' files may stay)."""
        known = [self.expected[name]] if name in self.expected else self.states
        return any(state == one or (not exact and state == {**state, **one}) for one in known)


def _order(name: str) -> GenerationName:
    parsed = GenerationName.parse(name)
    assert parsed is not None
    return parsed


class HonestCloud(TwoMachines):
    """Where nothing that was handed over is lost: a manifest stands for whole objects, always."""

    faults = HONEST

    @initialize()
    def start(self) -> None:
        super().start(0, 0)

    @invariant()
    def a_manifest_stands_for_whole_objects(self) -> None:
        remote = OneAtATime(self.world.cloud.client(), "shelf", "shelf")
        if list_generations(remote):
            assert not verify(remote, every=True).damaged


CI = settings(
    max_examples=EXAMPLES,
    stateful_step_count=12,
    deadline=None,
    derandomize=not LONG,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestTwoMachines = TwoMachines.TestCase
TestTwoMachines.settings = CI
TestHonestCloud = HonestCloud.TestCase
TestHonestCloud.settings = settings(CI, max_examples=EXAMPLES // 2)
