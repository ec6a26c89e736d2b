# pyright: strict
"""Objects on a remote that this machine has read and found altered or cut.

Looking at names and sizes, as a push does, cannot tell them from good ones: what stands here is not
referred to again, so that the next push writes those files anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from dflcolab.sync.memory import Memory
from dflcolab.sync.remote import Remote

_MOST = 10_000


class Damage:
    """The list, in the hidden folder of the workspace. It can be lost: the next reading finds it again.

    Args:
        memory: Of the workspace.
        remote: Where the objects are.
    """

    def __init__(self, memory: Memory, remote: Remote) -> None:
        self._memory = memory
        self._remote = remote
        self._path: Path = memory.folder / "damaged.json"

    def paths(self) -> frozenset[str]:
        """Paths of damaged objects below the remote's root."""
        found = self._read().get(self._remote.name)
        items = cast(list[object], found) if isinstance(found, list) else []
        return frozenset(item for item in items if isinstance(item, str))

    def add(self, paths: Iterable[str]) -> None:
        """Remember more of them."""
        known = self.paths()
        both = known | set(paths)
        if both != known:
            self._memory.write(
                self._path.name, {**self._read(), self._remote.name: sorted(both)[:_MOST]}
            )

    def _read(self) -> dict[str, Any]:
        try:
            found: object = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return cast(dict[str, Any], found) if isinstance(found, dict) else {}
