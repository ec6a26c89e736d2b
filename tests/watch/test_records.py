"""Lines only grow, follow a resume back, and say where they are damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dflcolab.errors import FormatError
from dflcolab.watch.records import JsonLines, UnwrittenLines

_ENTRIES: list[dict[str, Any]] = [{"n": n, "text": "Größe\nund Komma,"} for n in range(5)]


def _written(path: Path) -> JsonLines:
    lines = JsonLines(path)
    for entry in _ENTRIES:
        lines.append(entry)
    lines.flush()
    lines.force()
    return lines


def test_lines_come_back_in_order_and_only_after_a_flush(tmp_path: Path):
    lines = _written(tmp_path / "model" / "looks.jsonl")
    lines.append({"n": 5})
    assert JsonLines(lines.path).read() == _ENTRIES
    lines.flush()
    assert JsonLines(lines.path).read() == [*_ENTRIES, {"n": 5}]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 400), count=st.integers(0, 7))
def test_a_run_killed_at_any_byte_goes_on_from_the_lines_of_its_checkpoint(
    tmp_path: Path, cut: int, count: int
):
    path = tmp_path / "events.jsonl"
    path.unlink(missing_ok=True)
    _written(path)
    data = path.read_bytes()[:cut]
    path.write_bytes(data)
    whole = data.count(b"\n")

    lines = JsonLines(path)
    assert lines.read() == _ENTRIES[:whole]
    lines.start_at(count)
    lines.append({"n": "new"})
    lines.flush()
    assert lines.read() == [*_ENTRIES[: min(count, whole)], {"n": "new"}]


def test_what_was_pending_is_forgotten_where_training_goes_back(tmp_path: Path):
    lines = JsonLines(tmp_path / "events.jsonl")
    lines.append({"n": 0})
    lines.start_at(0)
    lines.flush()
    assert lines.read() == []
    assert not lines.path.exists()


@pytest.mark.parametrize("damage", [b'{"n": \n', b"[1, 2\n", b"7\n", b"\xff\xfe\n"])
@pytest.mark.bad_day("looks-line")
def test_a_damaged_line_is_named_with_its_remedy(tmp_path: Path, damage: bytes):
    path = tmp_path / "looks.jsonl"
    path.write_bytes(b'{"n": 0}\n' + damage + b'{"n": 2}\n')
    with pytest.raises(FormatError, match=r"Line 2 of .*looks.jsonl is damaged; delete the file"):
        JsonLines(path).read()


def test_a_process_that_does_not_write_leaves_the_file_alone(tmp_path: Path):
    path = tmp_path / "looks.jsonl"
    _written(path)
    before = path.read_bytes()
    lines = UnwrittenLines(path)
    lines.start_at(1)
    lines.append({"n": 9})
    lines.flush()
    assert path.read_bytes() == before
