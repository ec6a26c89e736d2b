# pyright: strict
"""Keeps two machines from writing one workspace's copies at the same time.

A mounted Drive has no atomic operation and shows other machines' files late, so the lease is made of
small files that are never overwritten, `leases/<fence>-<owner>-<beat>.json`:

* the *fence* grows with every lease; the highest one holds. It is written into each manifest, so that
  what a machine writes that was thought dead can be told from the work of its successor;
* the *beat* grows while the holder lives: 0 is a claim, 1 and more are held, `end` is given back. The
  owner deletes its older ones.

Nobody compares the clocks of two machines: a lease is stale when its beat has not changed for ten
minutes of the observer's own clock, or when its process is known to have ended on this machine. On a
store that shows every write at once, two claims exclude each other; on a Drive both may win for a
while, which `check` finds as soon as the mount shows it.
"""

from __future__ import annotations

import json
import logging
import math
import random
import re
import secrets
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dflcolab.errors import StorageError, SyncError
from dflcolab.files import read_facts, write_text
from dflcolab.sync.holder import Holder
from dflcolab.sync.remote import Remote

EXPIRY_S = 600.0
BEAT_S = 120.0
FOLDER = "leases"
_NAME = re.compile(r"(\d{6,12})-([0-9A-Za-z]{5,36})-(\d{6,12}|end)\.json")
_CLIENT = re.compile(r"[0-9A-Za-z]{1,32}")
_MAX_BYTES = 4096
_CLAIMS = 5
_LOG = logging.getLogger(__name__)
_held_here: set[str] = set()
"""Leases that this process holds now: a process that is alive may have lost or left others."""


@dataclass(frozen=True, order=True)
class _Seen:
    """One lease file: client and a random number are its owner; `beat` is -1 once given back."""

    fence: int
    owner: str
    beat: int

    @property
    def stored(self) -> str:
        last = "end" if self.beat < 0 else f"{self.beat:06d}"
        return f"{FOLDER}/{self.fence:06d}-{self.owner}-{last}.json"


class LeaseLostError(SyncError):
    """Another machine has taken the lease over."""


class Lease:
    """The right to write, held until `release`; made by `acquire`.

    As a context manager it beats by itself in a thread and gives the lease back at the end.

    Attributes:
        fence: Its number, higher than that of every lease before.
        note: What the user should know: whose stale lease was taken over; "" if nothing.
    """

    def __init__(
        self,
        remote: Remote,
        mine: _Seen,
        holder: Holder,
        *,
        clock: Callable[[], float],
        expiry_s: float,
        beat_s: float,
    ) -> None:
        self.fence = mine.fence
        self.note = ""
        self._remote = remote
        self._mine = mine
        self._written = [mine]
        self._holder = holder
        self._clock = clock
        self._expiry_s = expiry_s
        self._beat_s = beat_s
        self._last_beat = clock()
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    @classmethod
    def acquire(
        cls,
        remote: Remote,
        client: str,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        above: int = 0,
        take_over: bool = False,
        patience_s: float = 0.0,
        sightings: Path | None = None,
        place: str = "",
        settle_s: float = 0.0,
        expiry_s: float = EXPIRY_S,
        beat_s: float = BEAT_S,
    ) -> Lease:
        """Get the lease, or say who has it.

        Args:
            remote: Where the copies are.
            client: Short name of this writer, letters and digits.
            clock: Seconds; must go on between two programs if `sightings` is used.
            sleep: Waits so many seconds.
            above: Highest fence in any manifest; the new one is higher.
            take_over: Take the lease although its holder may be alive; the user said so.
            patience_s: Wait so long for the holder to end or to become stale.
            sightings: File on this machine that remembers when a beat was first seen, so that a
                later attempt knows how long the holder has been silent.
            place: Kind of place, for others to read.
            settle_s: Wait so long before looking whether somebody else claimed the lease at the
                same moment; for places that show files of other machines late.
            expiry_s: Silence after which a lease is stale.
            beat_s: Time between two beats of the context manager.

        Raises:
            SyncError: Somebody else holds it (the sentence says who, and how long to wait), or the
                remote does not answer.
            ValueError: `client` has other characters.
        """
        if not _CLIENT.fullmatch(client):
            raise ValueError(f"{client!r} cannot name a client")
        watch = _Watch(remote, clock, expiry_s, _Sightings(sightings))
        waits_until = clock() + patience_s
        claims = 0
        while True:
            busy, note = watch.look(take_over=take_over)
            if busy is None:
                holder = Holder.here(place)
                owner = client + secrets.token_hex(2)  # a new one each time: others know the old
                mine = _Seen(max(watch.highest, above) + 1, owner, 0)
                lease = cls(remote, mine, holder, clock=clock, expiry_s=expiry_s, beat_s=beat_s)
                if lease._claim(watch.owners, sleep, settle_s):
                    lease.note = note
                    return lease
                claims += 1
                if claims < _CLAIMS:
                    sleep(random.uniform(0.1, 1.0) * claims)  # noqa: S311
                    continue
                busy = watch.sentence(None)
            remaining = waits_until - clock()
            if remaining <= 0:
                raise SyncError(busy)
            sleep(min(remaining, expiry_s / 20))

    def beat(self) -> None:
        """Show that the holder lives: a new file, then the one before is deleted.

        Raises:
            SyncError: The remote does not answer.
        """
        with self._lock:
            now, before = self._clock(), self._written
            self._mine = replace(self._mine, beat=self._mine.beat + 1)
            self._written = [*before, self._mine]
            _write(self._remote, self._mine.stored, self._holder)
            self._last_beat = now
            for old in before:
                _delete(self._remote, old.stored)
            self._written = [self._mine]

    def check(self) -> None:
        """Make sure, as far as the remote shows it, that the lease is still held.

        Raises:
            LeaseLostError: It was lost to another machine.
            SyncError: Nobody could be told for so long that it may have been lost, or the remote does
                not answer.
        """
        silent_s = self._clock() - self._last_beat
        if silent_s > self._expiry_s:
            raise SyncError(
                f"This machine could not tell {self._remote.name} for {silent_s / 60:.0f} minutes that "
                "it is still copying, so another one may write there now; run the same step again."
            )
        for other in _list(self._remote):
            same = other.fence == self.fence and other.owner < self._mine.owner and other.beat > 0
            claimed_only = other.beat == 0
            if same or (other.fence > self.fence and not claimed_only):
                who = _read(self._remote, other.stored).sentence()
                raise LeaseLostError(
                    f"{self._remote.name} was taken over by {who}; this copy was not finished: stop "
                    "one of the two machines, then run the same step again on the other."
                )

    def release(self) -> None:
        """Give it back; if the remote does not answer, it becomes stale by itself."""
        self._done.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None
        with self._lock:
            if _key(self._remote, self._mine) not in _held_here:
                return
            _held_here.discard(_key(self._remote, self._mine))
            try:
                _write(self._remote, replace(self._mine, beat=-1).stored, self._holder)
                for old in self._written:
                    _delete(self._remote, old.stored)
            except SyncError as error:
                _LOG.info("The lease was not given back: %s", error)

    def __enter__(self) -> Self:
        if self._thread is None:
            self._thread = threading.Thread(target=self._beats, name="lease", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def _beats(self) -> None:
        while not self._done.wait(self._beat_s):
            try:
                self.beat()
            except SyncError as error:
                # The next one may get through; `check` refuses when the silence is too long.
                _LOG.info("No beat: %s", error)

    def _claim(
        self, known: Collection[str], sleep: Callable[[float], None], settle_s: float
    ) -> bool:
        """Write the claim, look whether it is alone, and hold; False if somebody else was there.

        Both look after they wrote, so on a store without delays at least one sees the other; who
        does goes back, also if both do. Only the owners that were judged before (`known`) are no
        obstacle: one that claimed a lower number since then may hold it.
        """
        _held_here.add(_key(self._remote, self._mine))
        try:
            _write(self._remote, self._mine.stored, self._holder)
            if settle_s:
                sleep(settle_s)
            others = [seen for seen in _list(self._remote) if seen.owner != self._mine.owner]
            if all(other.fence < self.fence and other.owner in known for other in others):
                self.beat()
                before = max((other.fence for other in others), default=0)
                for other in others:
                    # The lease before stays: should this one get lost, the numbers go on from it.
                    if other.fence < before:
                        _delete(self._remote, other.stored)
                return True
        except BaseException:
            self._withdraw()
            raise
        self._withdraw()
        return False

    def _withdraw(self) -> None:
        _held_here.discard(_key(self._remote, self._mine))
        for old in self._written:
            with suppress(SyncError):
                _delete(self._remote, old.stored)


class _Watch:
    """What one who wants the lease sees of its holder."""

    def __init__(
        self,
        remote: Remote,
        clock: Callable[[], float],
        expiry_s: float,
        sightings: _Sightings,
    ) -> None:
        self.highest = 0
        self.owners: set[str] = set()
        self._remote = remote
        self._clock = clock
        self._expiry_s = expiry_s
        self._sightings = sightings
        self._holder = Holder()

    def look(self, *, take_over: bool) -> tuple[str | None, str]:
        """Why the lease cannot be had now (None: it can), and what to tell if it is taken over."""
        seen = _list(self._remote)
        self.highest = max((lease.fence for lease in seen), default=0)
        self.owners = {lease.owner for lease in seen}
        top = [lease for lease in seen if lease.fence == self.highest]
        ended = {lease.owner for lease in top if lease.beat < 0}
        live = [lease for lease in top if lease.owner not in ended]
        if not live:
            return None, ""
        live.sort(key=lambda lease: (lease.beat, lease.owner), reverse=True)
        # Two may have claimed the same number; that one of them has ended says nothing of the other.
        holders = {lease.owner: self._holder_of(lease.owner, live) for lease in live}
        left = [owner for owner, holder in holders.items() if self._was_left(owner, holder)]
        last = next((lease for lease in live if lease.owner not in left), None)
        if last is None:
            return None, "An earlier run on this machine ended without giving its lease back."
        self._holder = holders[last.owner]
        silent_s = self._sightings.silence_s(_key(self._remote, last), last.beat, self._clock())
        who = self._holder.sentence()
        if silent_s >= self._expiry_s:
            return None, (
                f"{who[0].upper()}{who[1:]} has been silent for {silent_s / 60:.0f} minutes; its "
                f"lease on {self._remote.name} was taken over."
            )
        if take_over:
            return None, f"The lease on {self._remote.name} was taken from {who}, as you asked."
        return self.sentence(silent_s), ""

    def _holder_of(self, owner: str, live: Sequence[_Seen]) -> Holder:
        # The newest file may be cut off; one before it by the same owner says the same.
        read = (_read(self._remote, lease.stored) for lease in live if lease.owner == owner)
        return next((holder for holder in read if holder.machine), Holder())

    def _was_left(self, owner: str, holder: Holder) -> bool:
        here = _key(self._remote, _Seen(self.highest, owner, 0)) in _held_here
        return holder.has_ended or (holder.is_this_process and not here)

    def sentence(self, silent_s: float | None) -> str:
        """Who holds the lease and what to do."""
        minutes = math.ceil((self._expiry_s - (silent_s or 0.0)) / 60)
        wait = f"{minutes} minutes" if minutes > 1 else "a minute"
        return (
            f"{self._remote.name} is being written by {self._holder.sentence()}; stop that one, or, if "
            f"it is gone, try again in {wait} or use --take-over."
        )


class _Sightings:
    """Remembers since when the newest beat has been the newest, by this machine's clock."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, Any] = read_facts(path) if path else {}

    def silence_s(self, lease: str, beat: int, now: float) -> float:
        """Seconds since this beat was first seen; 0 the first time."""
        first = self._known.get("first_seen")
        same = (self._known.get("lease"), self._known.get("beat")) == (lease, beat)
        if same and isinstance(first, int | float) and first <= now:
            return now - first
        self._known = {"lease": lease, "beat": beat, "first_seen": now}
        if self._path is not None:
            with suppress(OSError, StorageError):
                write_text(self._path, json.dumps(self._known))
        return 0.0


def _key(remote: Remote, lease: _Seen) -> str:
    return f"{remote.name}/{lease.fence}-{lease.owner}"


def _list(remote: Remote) -> list[_Seen]:
    with remote.errors("looking who is writing"):
        remote.fs.invalidate_cache()
        try:
            names = [
                str(name).rpartition("/")[2]
                for name in remote.fs.ls(remote.path(FOLDER), detail=False)
            ]
        except FileNotFoundError:
            return []
    found = [_NAME.fullmatch(name) for name in names]
    return [
        _Seen(int(match[1]), match[2], -1 if match[3] == "end" else int(match[3]))
        for match in found
        if match
    ]


def _read(remote: Remote, stored: str) -> Holder:
    """Who wrote a lease file; an empty holder if it cannot be read or understood."""
    try:
        with (
            remote.errors(f"reading {stored}"),
            remote.fs.open(remote.path(stored), "rb") as stream,
        ):
            return Holder.from_json(stream.read(_MAX_BYTES))
    except SyncError:
        return Holder()


def _write(remote: Remote, stored: str, holder: Holder) -> None:
    with remote.errors("telling others that this machine writes"):
        remote.fs.makedirs(remote.path(FOLDER), exist_ok=True)
        with remote.fs.open(remote.path(stored), "wb") as stream:
            stream.write(holder.to_json())


def _delete(remote: Remote, stored: str) -> None:
    with remote.errors("tidying up its leases"), suppress(FileNotFoundError):
        remote.fs.rm_file(remote.path(stored))
