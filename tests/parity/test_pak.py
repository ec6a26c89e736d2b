"""Packed facesets written by DeepFaceLab, and ours in its layout."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from dflcolab.formats.faceset_pak import PakItem, PakReader, write_pak
from tests.parity.vector_cases import file_params, load_json


def expected_of(pak: Path) -> dict:
    return load_json(pak.with_suffix(".json"))


PAKS = file_params("imaging", "pak", "*.pak")


@pytest.mark.parametrize("pak", PAKS)
def test_every_face_of_a_pack_is_read(pak: Path):
    with PakReader(pak) as reader:
        samples = expected_of(pak)["samples"]
        assert len(reader) == len(samples)
        for i, sample in enumerate(samples):
            config = {
                key: item.get("value")
                for key, item in sample.get("config", sample).items()
                if isinstance(item, dict)
            }
            face = reader.read(i)
            assert reader.entries[i].name == config["filename"]
            assert reader.entries[i].person == config["person_name"]
            assert face.record.assumed_face_type.code == config["face_type"]
            assert face.record.source_filename == config["source_filename"]
            assert face.record.eyebrows_expand_mod == config["eyebrows_expand_mod"]
            # float32 holds coordinates of a few hundred pixels to 3e-5.
            np.testing.assert_allclose(face.record.landmarks, config["landmarks"], atol=5e-5)
            assert face.decode().shape[:2] == (face.height, face.width)


@pytest.mark.parametrize("pak", PAKS)
def test_embedded_files_are_cut_at_their_true_borders(pak: Path):
    with PakReader(pak) as reader:
        for entry, sample in zip(reader.entries, expected_of(pak)["samples"], strict=True):
            if "sha256" not in sample:
                continue
            data = reader.jpeg(reader.entries.index(entry))
            assert entry.offset == sample["true_offset"]
            assert len(data) == sample["true_size"]
            assert hashlib.sha256(data).hexdigest() == sample["sha256"]


@pytest.mark.parametrize("pak", PAKS)
def test_a_pack_written_here_has_deepfacelabs_layout(pak: Path, tmp_path: Path):
    target = tmp_path / "faceset.pak"
    with PakReader(pak) as reader:
        items = [
            PakItem(entry.name, reader.read(i), entry.person)
            for i, entry in enumerate(reader.entries)
        ]
        write_pak(target, items)
        originals = [reader.jpeg(i) for i in range(len(reader))]

    data = target.read_bytes()
    version, config_size = struct.unpack_from("<QQ", data)
    table = struct.unpack_from(f"<{len(items) + 1}Q", data, 16 + config_size)
    start = 16 + config_size + 8 * (len(items) + 1)
    assert version == 1
    assert b"numpy._core" not in data[:start]
    # The last entry counts from the file's beginning, as in DeepFaceLab's own packs.
    assert table[-1] == len(data)
    ends = [*table[1:-1], len(data) - start]
    assert [data[start + a : start + b] for a, b in zip(table, ends)] == originals
    with PakReader(target) as again:
        assert again.names == [
            item.person + "/" + item.name if item.person else item.name for item in items
        ]
        for i, item in enumerate(items):
            np.testing.assert_array_equal(
                again.read(i).record.landmarks, item.face.record.landmarks
            )
