# pyright: strict
"""Copies on a mounted Drive that this machine has confirmed.

A Drive's mount gives back what was written from its own cache, and its mark "uploaded" can be wrong.
Only when the mount was made anew does reading a copy show what Google has.
"""

from __future__ import annotations

from dflcolab.sync.memory import Memory
from dflcolab.sync.noted import Noted
from dflcolab.sync.remote import Remote


class Confirmed(Noted):
    """Names of copies of which every byte was right after the mount had been made anew.

    The list can be lost: the next fresh look finds out again, and older copies stay until then.

    Args:
        memory: Of the workspace.
        remote: Where the copies are.
    """

    def __init__(self, memory: Memory, remote: Remote) -> None:
        super().__init__(memory, remote, "confirmed.json")
