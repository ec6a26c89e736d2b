"""What goes wrong with a mounted Drive, and when: a plan names the calls."""

from __future__ import annotations

import enum
import errno
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st


class Fault(enum.Enum):
    """What strikes at a call; those about writing wait for the next write."""

    EIO = errno.EIO
    NOT_CONNECTED = errno.ENOTCONN
    FULL = errno.ENOSPC
    QUOTA = errno.EDQUOT
    DROPPED = "every call fails with ENOTCONN until `remount`"
    HANG = "the call takes `hang_s`"
    CRASH = "the program is killed inside the call"
    STALE = "for the next 40 calls nothing new of other machines is seen"
    TORN = "half is written, then EIO"
    CUT = "the writer sees all; the cloud gets half"
    FLIPPED = "the writer sees all; the cloud gets one byte wrong"
    LOST = "the writer sees all; the cloud never gets it, flushed or not"
    LATE = "the cloud gets it only when flushed"

    @property
    def is_error(self) -> bool:
        return isinstance(self.value, int)


OF_WRITES = (Fault.TORN, Fault.CUT, Fault.FLIPPED, Fault.LOST, Fault.LATE)
STALE_CALLS = 40


class Killed(BaseException):
    """The program does not live any more; no `except Exception` may survive it."""


@dataclass(frozen=True)
class Strike:
    """A fault at the `at`-th of the calls (from 0) whose path contains `on`."""

    at: int
    fault: Fault
    on: str = ""


def plans(
    faults: Sequence[Fault] = tuple(Fault), *, on: Sequence[str] = ("",), within: int = 20
) -> st.SearchStrategy[list[Strike]]:
    """A strategy for plans: up to three strikes within the next calls."""
    strikes = st.builds(
        Strike, at=st.integers(0, within), fault=st.sampled_from(faults), on=st.sampled_from(on)
    )
    return st.lists(strikes, max_size=3)
