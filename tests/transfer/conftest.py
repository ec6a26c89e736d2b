from __future__ import annotations

from collections.abc import Iterator

import pytest

from dflcolab.transfer.https import Patience
from tests.transfer.server import Script, Server


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(Script())
    yield server
    server.close()


@pytest.fixture
def hasty() -> Patience:
    """As the real one, for a server in the same machine."""
    return Patience(timeout_s=1.0, tries=4, pause_s=0.01)
