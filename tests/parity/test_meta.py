"""Metadata backups: DeepFaceLab's is read whole, ours has the same values in the same types."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dflcolab.formats.dfl_metadata import record_to_dict
from dflcolab.formats.metadata_backup import read_backup, write_backup
from tests.formats.strict_reader import unpickle
from tests.parity.test_dfl_jpeg import plain
from tests.parity.vector_cases import file_params, load_json

BACKUPS = file_params("imaging", "meta", "*.dat")


def same(found, expected) -> None:
    """Equal values; float32 holds coordinates of a few hundred pixels to 5e-5."""
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            same(found[key], expected[key])
    elif isinstance(expected, str):
        assert found == expected
    elif isinstance(expected, list) and expected and isinstance(expected[0], dict):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            same(one, other)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=5e-5)


@pytest.mark.parametrize("path", BACKUPS)
def test_every_entry_of_a_backup_is_read(path: Path):
    backup = read_backup(path)
    expected = load_json(path.with_suffix(".json"))["entries"]

    assert backup.problems == ()
    assert list(backup.entries) == list(expected)
    for name, entry in backup.entries.items():
        assert [entry.height, entry.width, 3] == expected[name]["shape"]
        values = record_to_dict(entry.record)
        wanted = plain(expected[name]["dict"])
        mask = expected[name]["dict"].get("xseg_mask")
        if mask is not None:
            assert list(values.pop("xseg_mask")[:8]) == mask["value"]["first8"]
            wanted.pop("xseg_mask")
        same(values, wanted)


@pytest.mark.parametrize("path", BACKUPS)
def test_a_backup_written_here_is_read_by_old_numpy(path: Path, tmp_path: Path):
    backup = read_backup(path)
    again = tmp_path / "meta.dat"

    write_backup(again, backup.entries)

    values = unpickle(again.read_bytes())
    expected = load_json(path.with_suffix(".json"))["entries"]
    for name, (shape, dictionary) in values.items():
        assert isinstance(shape, tuple)
        assert list(shape) == expected[name]["shape"]
        assert list(dictionary) == list(expected[name]["dict"])
        for key, item in expected[name]["dict"].items():
            assert type(dictionary[key]).__name__ == item["py"], key
            if item["py"] == "ndarray":
                assert str(dictionary[key].dtype) == item["dtype"]
