# pyright: strict
"""OpenCV without threads of its own."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import cv2


@contextmanager
def one_opencv_thread() -> Generator[None]:
    """OpenCV's own threads would fight with the caller's threads for the cores."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
