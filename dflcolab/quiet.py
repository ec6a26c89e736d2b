# pyright: strict
"""Silence for libraries that write to standard error by themselves, past Python's logging."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator
from pathlib import Path


@contextlib.contextmanager
def native_messages_hidden() -> Generator[None]:
    """Drop what native code writes to standard error; Python's exceptions still come through."""
    try:
        sys.stderr.flush()
        saved = os.dup(2)
    except (OSError, ValueError, AttributeError):  # no standard error at all
        yield
        return
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
