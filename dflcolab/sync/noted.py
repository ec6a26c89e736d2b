# pyright: strict
"""Texts about one remote that this machine notes in the hidden folder of the workspace."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import cast

from dflcolab.files import read_facts
from dflcolab.sync.memory import Memory
from dflcolab.sync.remote import Remote

_MOST = 10_000


class Noted:
    """A set of texts in a small file, for each remote its own.

    Args:
        memory: Of the workspace.
        remote: What the texts are about.
        file_name: Name of the file.
    """

    def __init__(self, memory: Memory, remote: Remote, file_name: str) -> None:
        self._memory = memory
        self._remote = remote
        self._path: Path = memory.folder / file_name

    def known(self) -> frozenset[str]:
        """All that were noted; none if the file is lost or damaged."""
        found = read_facts(self._path).get(self._remote.name)
        items = cast(list[object], found) if isinstance(found, list) else []
        return frozenset(item for item in items if isinstance(item, str))

    def add(self, texts: Iterable[str]) -> None:
        """Note more of them."""
        self._replace(self.known() | set(texts))

    def discard(self, texts: Iterable[str]) -> None:
        """Forget some of them."""
        self._replace(self.known() - set(texts))

    def _replace(self, texts: frozenset[str]) -> None:
        if texts != self.known():
            # Names begin with their number, so that those that are cut off are the oldest.
            newest = sorted(texts)[-_MOST:]
            self._memory.write(
                self._path.name, {**read_facts(self._path), self._remote.name: newest}
            )
