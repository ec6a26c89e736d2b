"""What was merged already."""

from __future__ import annotations

from pathlib import Path

import pytest

from dflcolab.merging.journal import Done, MergeJournal, frame_key
from tests.merging.scenes import LANDMARKS


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    merged, masks = tmp_path / "merged", tmp_path / "merged_mask"
    merged.mkdir()
    masks.mkdir()
    return merged, masks


def _finish(journal: MergeJournal, stem: str, key: str) -> None:
    journal.picture_path(stem).write_bytes(b"picture")
    journal.mask_path(stem).write_bytes(b"mask")
    journal.note(stem, Done(key, 7, 4))


def test_a_finished_frame_is_known_to_the_next_run(folders):
    with MergeJournal(*folders) as journal:
        _finish(journal, "00001", "k")

    with MergeJournal(*folders) as journal:
        assert journal.holds("00001", "k")
        assert not journal.holds("00001", "other")
        assert not journal.holds("00002", "k")
        assert journal.n_outdated({"00001": "other", "00002": "k"}) == 1


@pytest.mark.parametrize("damage", ["missing", "short", "mask"])
def test_a_frame_whose_file_is_gone_or_short_is_not_held(folders, damage: str):
    with MergeJournal(*folders) as journal:
        _finish(journal, "00001", "k")
        if damage == "missing":
            journal.picture_path("00001").unlink()
        elif damage == "short":
            journal.picture_path("00001").write_bytes(b"pic")
        else:
            journal.mask_path("00001").unlink()

        assert not journal.holds("00001", "k")


def test_a_line_that_was_cut_off_costs_that_frame_only(folders):
    with MergeJournal(*folders) as journal:
        _finish(journal, "00001", "k")
        _finish(journal, "00002", "k")
    path = folders[0] / "merge.jsonl"
    path.write_bytes(path.read_bytes()[:-20])

    with MergeJournal(*folders) as journal:
        assert journal.holds("00001", "k")
        assert not journal.holds("00002", "k")
        _finish(journal, "00003", "k")

    with MergeJournal(*folders) as journal:
        assert journal.holds("00003", "k")


def test_left_over_temporary_files_are_removed(folders):
    left_over = folders[0] / ".00001.abc123de.tmp.png"
    left_over.write_bytes(b"half")

    with MergeJournal(*folders):
        assert not left_over.exists()


def test_the_key_follows_run_footage_and_faces():
    keys = {
        frame_key("run", "video", [LANDMARKS]),
        frame_key("run 2", "video", [LANDMARKS]),
        frame_key("run", "video 2", [LANDMARKS]),
        frame_key("run", "video", []),
        frame_key("run", "video", [LANDMARKS + 1]),
        frame_key("run", "video", [LANDMARKS, LANDMARKS]),
    }

    assert len(keys) == 6
