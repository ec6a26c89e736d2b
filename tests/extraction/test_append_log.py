import pytest

from dflcolab.errors import FacesetError, FormatError
from dflcolab.extraction.append_log import (
    Appended,
    log_faces,
    log_new_faceset,
    log_set,
    log_video,
    read_log,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data_src" / "append.jsonl"


def fill(path):
    log_video(path, "data_src_2.mp4", 2.5, origin="holiday.mp4")
    log_set(path, "faceset", "brad", "brad")
    log_faces(path, "brad", ["aa", "bb"])


def test_what_was_appended_is_known_the_next_time(path):
    assert read_log(path) == Appended()
    fill(path)
    log_video(path, "data_src_2.mp4", None, origin="holiday.mp4")

    log = read_log(path)

    assert log.videos == {"data_src_2.mp4": None}
    assert log.labels_of("faceset", "brad") == ["brad"]
    assert log.labels_of("photos", "brad") == []
    assert log.pictures == {"aa": "brad", "bb": "brad"}


@pytest.mark.parametrize("lost", [1, 7, 30])
def test_a_torn_last_line_counts_as_not_written(path, lost):
    fill(path)
    path.write_bytes(path.read_bytes()[:-lost])
    assert read_log(path).pictures == {}

    log_faces(path, "brad", ["cc"])

    assert read_log(path).pictures == {"cc": "brad"}


def test_a_new_faceset_forgets_the_faces_but_not_the_videos(path):
    fill(path)
    log_new_faceset(path)

    log = read_log(path)

    assert log.pictures == {}
    assert log.videos == {"data_src_2.mp4": 2.5}


def test_a_damaged_line_and_a_newer_file_are_one_sentence(path):
    fill(path)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"pictures"', b'"pic"'))
    with pytest.raises(FormatError, match=r"Line 4 of .*append\.jsonl is damaged"):
        read_log(path)
    path.write_bytes(whole.replace(b'"version": 1', b'"version": 9'))
    with pytest.raises(FacesetError, match="newer"):
        read_log(path)
