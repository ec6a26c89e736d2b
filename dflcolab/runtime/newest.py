# pyright: strict
"""Is there a newer version of this package? Asked beside other work, never waited for long.

The package index sees one request for a public page, and nothing about the user or the workspace.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.request
from typing import Any

from packaging.version import Version

PACKAGE_INDEX = "https://pypi.org/pypi/dflcolab/json"
"""Where the question goes; the answer is JSON with the newest version in `info.version`."""

LIMIT_S = 2.5
"""Seconds after which no answer is an answer."""

_LARGEST_ANSWER = 4 << 20


class NewestVersion:
    """Asks in a thread of its own, from the moment on when it is made.

    Without a network, without an answer in time, or with one that is not understood, there is
    silently none.

    Args:
        url: Address of the package's page at the index.
        limit_s: Seconds, from now on, that an answer may take.
    """

    def __init__(self, url: str = PACKAGE_INDEX, *, limit_s: float = LIMIT_S) -> None:
        self._url = url
        self._limit_s = limit_s
        self._until = time.monotonic() + limit_s
        self._found: str | None = None
        # A daemon: a server that never stops talking must not keep the program alive.
        self._thread = threading.Thread(target=self._ask, name="newest version", daemon=True)
        self._thread.start()

    def newer_than(self, version: str) -> str | None:
        """The newest version if it is newer than this one; waits until the limit at most."""
        self._thread.join(max(0.0, self._until - time.monotonic()))
        newest = self._found
        if newest is None or Version(newest) <= Version(version):
            return None
        return newest

    def _ask(self) -> None:
        try:
            # The address is the constant above, or a test's.
            with urllib.request.urlopen(self._url, timeout=self._limit_s) as answer:  # noqa: S310
                self._found = _version_in(answer.read(_LARGEST_ANSWER))
        except (OSError, http.client.HTTPException):
            return  # no network, or no such page
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return  # not what an index answers


def _version_in(data: bytes) -> str | None:
    """The version that the index names; None for a withdrawn or a trial one."""
    answer: Any = json.loads(data)
    info = answer["info"]
    version = Version(info["version"])
    return None if info.get("yanked") or version.is_prerelease else str(version)
