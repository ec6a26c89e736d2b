# pyright: strict
"""Objects on a remote that this machine has read and found altered or cut.

Looking at names and sizes, as a push does, cannot tell them from good ones: what stands here is not
referred to again, so that the next push writes those files anew, and a copy that uses it does not
count as whole when others are removed.
"""

from __future__ import annotations

from dflcolab.sync.memory import Memory
from dflcolab.sync.noted import Noted
from dflcolab.sync.remote import Remote


class Damage(Noted):
    """Paths of damaged objects below the remote's root.

    The list can be lost: the next reading finds them again.

    Args:
        memory: Of the workspace.
        remote: Where the objects are.
    """

    def __init__(self, memory: Memory, remote: Remote) -> None:
        super().__init__(memory, remote, "damaged.json")
