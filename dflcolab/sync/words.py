# pyright: strict
"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """`1 file`, `3 files`; `many` where the plural is irregular."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def megabytes(n_bytes: int) -> str:
    """`12.3 MB`."""
    return f"{n_bytes / 1e6:.1f} MB"
