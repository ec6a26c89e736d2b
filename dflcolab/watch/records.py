# pyright: strict
"""Looks and events in plain files that only grow: one JSON object per line.

A checkpoint notes how many lines belong to it; what a killed run wrote beyond is cut off on resume.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dflcolab.errors import FormatError
from dflcolab.files import storage_errors


class JsonLines:
    """One file of lines.

    Args:
        path: The file; made when the first entry comes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pending: list[bytes] = []

    def start_at(self, count: int) -> None:
        """Keep the first `count` lines and drop the rest; lines that are lost stay lost.

        Call it before the first `append`.

        Raises:
            StorageError: The disk is read-only or gone.
        """
        self._pending.clear()
        if not self.path.exists():
            return
        with storage_errors(self.path), self.path.open("rb+") as stream:
            end = 0
            for line in stream:
                if not count or not line.endswith(b"\n"):
                    break
                end, count = end + len(line), count - 1
            stream.truncate(end)

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add an entry; it reaches the disk at the next `flush`."""
        self._pending.append(json.dumps(entry, allow_nan=False).encode() + b"\n")

    def flush(self) -> None:
        """Write what is pending; `force` makes sure that it survives a power cut.

        Raises:
            StorageError: The disk is full, read-only or gone.
        """
        if not self._pending:
            return
        with storage_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as stream:
                stream.write(b"".join(self._pending))
        self._pending.clear()

    def force(self) -> None:
        """Force what was written to the disk; may run in another thread."""
        if self.path.exists():
            with storage_errors(self.path), self.path.open("rb") as stream:
                os.fsync(stream.fileno())

    def read(self) -> list[dict[str, Any]]:
        """All complete lines of the file; none if it is missing.

        Raises:
            FormatError: A line is damaged.
            StorageError: The disk is gone.
        """
        if not self.path.exists():
            return []
        with storage_errors(self.path):
            lines = self.path.read_bytes().split(b"\n")[:-1]
        return [self._parsed(number, line) for number, line in enumerate(lines, 1)]

    def _parsed(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            return dict(json.loads(line))
        except (ValueError, TypeError) as error:
            raise FormatError(
                f"Line {number} of {self.path} is damaged; delete the file: training goes on, and the "
                "watch begins its history anew."
            ) from error


class UnwrittenLines(JsonLines):
    """Of a process that leaves writing to another one."""

    def start_at(self, count: int) -> None:
        """Nothing to do."""

    def append(self, entry: Mapping[str, Any]) -> None:
        """Nothing to do."""

    def flush(self) -> None:
        """Nothing to do."""
