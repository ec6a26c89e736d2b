from __future__ import annotations

import pytest

from dflcolab.media import certificate


@pytest.fixture(autouse=True)
def own_configuration(tmp_path_factory, monkeypatch):
    """A configuration folder of the test's own: the user's certificate is left alone."""
    folder = tmp_path_factory.mktemp("configuration")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    certificate._identity_in.cache_clear()
    yield folder
    certificate._identity_in.cache_clear()
