# pyright: strict
"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """`1 file`, `3,000 files`; `many` where the plural is irregular."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def megabytes(n_bytes: int) -> str:
    """`12.3 MB`."""
    return f"{n_bytes / 1e6:.1f} MB"


def as_size(n_bytes: float) -> str:
    """Room on a disk or in memory: `12.3 MB`, from a gigabyte on `4.5 GB`, counted as disks' windows do (1024)."""
    return f"{n_bytes / 2**30:.1f} GB" if n_bytes >= 1 << 30 else f"{n_bytes / 2**20:.1f} MB"
