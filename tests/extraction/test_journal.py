import pytest

from dflcolab.detection.geometry import RotatedSquare
from dflcolab.errors import FacesetError, FormatError
from dflcolab.extraction.journal import Journal, forget
from dflcolab.extraction.tracking import TrackState

OPTIONS = {"face_type": "whole_face", "size": 512}
STATE = (TrackState(RotatedSquare(1.25, 2.5, 3.0, -0.125), 0.93, 2),)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "extract.jsonl"


def fill(path, frames, **changes):
    with Journal(path, OPTIONS | changes) as journal:
        journal.add("data_src.mp4", frames, STATE, identity=[5, "ab"], fps=None)


def test_what_was_done_is_known_the_next_time(path):
    fill(path, {"0": 1, "1": 0})
    fill(path, {"2": 2})

    with Journal(path, OPTIONS) as journal:
        log = journal.source("data_src.mp4")
        assert log.faces == {"0": 1, "1": 0, "2": 2}
        assert log.state == STATE
        assert log.identity == [5, "ab"]
        assert journal.source("data_src_2.mp4").faces == {}


@pytest.mark.parametrize("lost", [1, 10, 40])
def test_a_torn_last_line_is_dropped_and_written_anew(path, lost):
    fill(path, {"0": 1})
    whole = path.read_bytes()
    fill(path, {"1": 1})
    path.write_bytes(path.read_bytes()[:-lost])

    with Journal(path, OPTIONS) as journal:
        assert journal.source("data_src.mp4").faces == {"0": 1}
        assert path.read_bytes() == whole

    fill(path, {"1": 1})
    with Journal(path, OPTIONS) as journal:
        assert journal.source("data_src.mp4").faces == {"0": 1, "1": 1}


@pytest.mark.bad_day("extract-other-options")
def test_other_options_are_refused_with_the_way_to_start_over(path):
    fill(path, {"0": 1})

    with pytest.raises(FacesetError, match=r"size 512, not size 256; .* rename .* to start over"):
        fill(path, {"1": 1}, size=256)


@pytest.mark.bad_day("journal-line")
def test_a_damaged_line_is_named(path):
    fill(path, {"0": 1})
    path.write_bytes(path.read_bytes().replace(b'"frames"', b'"fr"'))

    with pytest.raises(FormatError, match=r"Line 2 of .*extract\.jsonl is damaged"):
        fill(path, {"1": 1})


@pytest.mark.bad_day("extracting-twice")
def test_two_extractions_of_one_side_cannot_run_at_once(path):
    with Journal(path, OPTIONS), pytest.raises(FacesetError, match="Another extraction"):
        fill(path, {"0": 1})


def test_starting_over_keeps_the_old_journal_aside(path):
    fill(path, {"0": 1})

    forget(path)

    assert not path.exists()
    assert path.with_name("extract.old.jsonl").exists()
