"""Many files change in one moment, whenever the program is killed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dflcolab.errors import WorkspaceError
from dflcolab.files import exclusive
from dflcolab.workspace import placing
from dflcolab.workspace.placing import HIDDEN, Move, finish_placing, lock_path, place_all

OLD = {"a.txt": b"old a", "sub/b.txt": b"old b", "extra.txt": b"extra"}
NEW = {"a.txt": b"new a", "sub/b.txt": b"new b", "c/d.txt": b"new d"}
MOVES = [
    Move("extra.txt", "", "aside/extra.txt"),
    Move("a.txt", f"{HIDDEN}/in/0", "aside/a.txt"),
    Move("sub/b.txt", f"{HIDDEN}/in/1", "aside/sub/b.txt"),
    Move("c/d.txt", f"{HIDDEN}/in/2", ""),
]


class _Killed(BaseException):
    pass


def start(root: Path) -> Path:
    for path, data in OLD.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    staging = root / HIDDEN / "in"
    staging.mkdir(parents=True)
    for number, data in enumerate(NEW.values()):
        (staging / str(number)).write_bytes(data)
    return staging


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and HIDDEN not in path.parts
    }


EXPECTED = {**NEW, **{f"aside/{path}": data for path, data in OLD.items()}}


@pytest.mark.parametrize("n_steps", range(25))
def test_a_kill_between_any_two_steps_leaves_the_old_or_leads_to_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_steps: int
):
    staging = start(tmp_path)
    left = n_steps

    def counted(function):
        def call(*args, **kwargs):
            nonlocal left
            if left == 0:
                raise _Killed
            left -= 1
            return function(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(placing, "write_text", counted(placing.write_text))
        patch.setattr(placing, "move_file", counted(placing.move_file))
        for name in ("replace", "unlink", "mkdir"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        patch.setattr(os, "fsync", counted(os.fsync))
        try:
            place_all(tmp_path, MOVES, staging=staging)
        except _Killed:
            pass

    finished = finish_placing(tmp_path)

    found = contents(tmp_path)
    assert found == EXPECTED or (found == OLD and not finished)
    assert n_steps < 24 or found == EXPECTED
    assert not finish_placing(tmp_path)


@pytest.mark.bad_day("placing-elsewhere")
def test_while_one_places_another_waits_outside(tmp_path: Path):
    start(tmp_path)
    (tmp_path / HIDDEN / "moves.json").write_text("{}")

    with (
        exclusive(lock_path(tmp_path), WorkspaceError("busy")),
        pytest.raises(WorkspaceError, match="Another program puts files"),
    ):
        finish_placing(tmp_path)


@pytest.mark.parametrize(
    "moves",
    [
        [{"target": "../out", "staged": "in/0", "aside": ""}],
        [{"target": "/etc/out", "staged": "in/0", "aside": ""}],
        [{"target": "a.txt", "staged": "", "aside": "link/x"}],
        [{"target": "a.txt"}],
        "nonsense",
    ],
)
@pytest.mark.bad_day("placing-foreign")
def test_a_journal_from_a_stranger_moves_nothing(tmp_path: Path, moves: object):
    root = tmp_path / "w"
    start(root)
    (root / "link").symlink_to(tmp_path)
    content = {"staging": f"{HIDDEN}/in", "moves": moves}
    (root / HIDDEN / "moves.json").write_text(json.dumps(content))

    with pytest.raises(WorkspaceError, match="delete that file"):
        finish_placing(root)

    assert contents(root) == OLD
    assert list(tmp_path.iterdir()) == [root]
