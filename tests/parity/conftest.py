"""What all parity tests share: the folder with the golden vectors, and the `parity` mark."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.parity.vector_cases import VARIABLE, vectors_root


@pytest.fixture(scope="session")
def vectors() -> Path:
    """Folder of the golden vectors, laid out as `imaging/...` and `models/...`."""
    root = vectors_root()
    if not root.is_dir():
        pytest.fail(f"{root} is missing; unset {VARIABLE} or point it to a folder with vectors.")
    return root


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder as a parity test."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.parity)
