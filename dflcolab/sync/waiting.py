# pyright: strict
"""Since when this machine has seen that no copy on a remote uses an object.

Where files of other machines are shown late, a list that is not seen yet may name an object that looks
unused: it goes only once it has looked so for an hour. Clocks of other machines play no part.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from dflcolab.errors import StorageError
from dflcolab.files import read_facts, write_text


class Waiting:
    """The objects of one remote that wait.

    Args:
        path: File that remembers them; without one, everything waits for ever.
        remote: Name of the remote.
    """

    def __init__(self, path: Path | None, remote: str) -> None:
        self._path = path
        self._remote = remote

    def known(self) -> set[str]:
        """All that were unused when this machine looked last."""
        return set(self._mine())

    def ripe(self, unused: Iterable[str], *, wait_s: float, remember: bool = True) -> set[str]:
        """Those that have been unused for `wait_s` whenever this machine looked.

        Args:
            unused: All that are unused now; what is not among them starts anew when it is again.
            wait_s: Seconds by this machine's clock.
            remember: False only looks.
        """
        now, all_known, before = time.time(), self._read(), self._mine()
        since: dict[str, float] = {}
        for path in unused:
            first = before.get(path)
            # A time ahead of now was noted by a clock that has been set back since.
            since[path] = first if isinstance(first, int | float) and first <= now else now
        if self._path is None:
            return set()
        if remember and since != before:
            with suppress(OSError, StorageError):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                write_text(self._path, json.dumps({**all_known, self._remote: since}))
        return {path for path, first in since.items() if now - first >= wait_s}

    def _mine(self) -> dict[str, Any]:
        found = self._read().get(self._remote)
        return cast(dict[str, Any], found) if isinstance(found, dict) else {}

    def _read(self) -> dict[str, Any]:
        return {} if self._path is None else read_facts(self._path)
