"""Sorting: stable, safe against a kill, and honest about what it cannot sort."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflcolab.errors import FacesetError, Interrupted
from dflcolab.faceset.config import SortKind
from dflcolab.faceset.renaming import JOURNAL_NAME, STAGING_NAME, recover, rename_all
from dflcolab.faceset.sort import sort_faces
from dflcolab.progress import Progress

FACES = Path(__file__).parents[1] / "data" / "vectors" / "imaging" / "sort" / "faces"


@pytest.fixture
def faces(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "aligned"
    shutil.copytree(FACES, folder)
    return sorted(folder.iterdir())


def contents(folder: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in folder.rglob("*.jpg"))


def test_equal_scores_keep_the_order_of_names(faces: list[Path]):
    copy = faces[0].with_name("00000_9.jpg")
    shutil.copy(faces[0], copy)
    paths = sorted([*faces, copy])

    for kind in (SortKind.BRIGHTNESS, SortKind.BLACK, SortKind.FACE_YAW):
        order = list(sort_faces(paths, kind).order)
        assert order.index("00000_9.jpg") == order.index("00000_0.jpg") + 1


def test_a_damaged_file_is_set_aside_and_the_rest_sorted(faces: list[Path]):
    faces[3].write_bytes(faces[3].read_bytes()[:100])

    found = sort_faces(faces, SortKind.BRIGHTNESS)

    assert list(found.rejected) == [faces[3].name]
    assert len(found.order) == len(faces) - 1


def test_a_folder_without_face_data_is_one_sentence(faces: list[Path]):
    plain = [path for path in faces if path.name == "00099_0.jpg"]

    with pytest.raises(FacesetError, match="None of the 1 pictures"):
        sort_faces(plain, SortKind.FACE_YAW)


def test_identity_puts_strangers_last(faces: list[Path]):
    wanted = {path.name for path in faces[::2]}

    def embed(image, landmarks):
        # The double knows the person by the picture: even files show one, odd ones another.
        known = any(np.array_equal(image, other) for other in pictures)
        return np.array([1.0, 0.1] if known else [0.1, 1.0], np.float32)

    from dflcolab.faceset.face_files import read_face_file

    pictures = [read_face_file(path).decode() for path in faces if path.name in wanted]
    found = sort_faces(faces, SortKind.IDENTITY, embed=embed)

    n_wanted = len([name for name in found.order if name in wanted])
    assert set(found.order[:n_wanted]) <= wanted
    assert list(found.rejected) == ["00099_0.jpg"]


def test_a_stop_request_changes_nothing(faces: list[Path]):
    progress = Progress()
    progress.request_stop()

    with pytest.raises(Interrupted):
        sort_faces(faces, SortKind.HUE, progress=progress)


def test_a_hostile_source_name_cannot_leave_the_folder(faces: list[Path]):
    from dflcolab.formats.dfl_jpeg import read_record, replace_record

    record = read_record(faces[0])
    assert record is not None
    replace_record(faces[0], record.replace(source_filename="../../..\\evil/00007.png"))

    found = sort_faces(faces[:1], SortKind.RECOVER_NAMES)

    assert found.renamed == {faces[0].name: "00007_0.jpg"}


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 12))
def test_renaming_applies_any_permutation(tmp_path_factory, seed: int, n: int):
    folder = tmp_path_factory.mktemp("permutation")
    names = [f"{number:05d}.jpg" for number in range(n)]
    for name in names:
        (folder / name).write_text(name)
    shuffled = names[:]
    random.Random(seed).shuffle(shuffled)

    rename_all(folder, dict(zip(names, shuffled, strict=True)))

    assert {path.name: path.read_text() for path in folder.iterdir()} == dict(
        zip(shuffled, names, strict=True)
    )


def test_renaming_refuses_two_files_of_one_name(tmp_path: Path):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_text(name)

    with pytest.raises(FacesetError, match="same name"):
        rename_all(tmp_path, {"a.jpg": "x.jpg", "b.jpg": "x.jpg"})
    with pytest.raises(FacesetError, match=r"same name c\.jpg"):
        rename_all(tmp_path, {"a.jpg": "c.jpg"})

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "b.jpg", "c.jpg"]


def test_a_kill_between_any_two_steps_is_finished_by_recover(tmp_path: Path, monkeypatch):
    """Every rename and every write of the journal may be the last thing that happens."""
    names = {f"{n}.jpg": f"{(n + 1) % 4}.jpg" for n in range(4)}
    step = 0
    while True:
        folder = tmp_path / f"kill{step}"
        folder.mkdir()
        for name in names:
            (folder / name).write_text(name)
        left = step

        def killer(function):
            def wrapped(*args, **kwargs):
                nonlocal left
                if left == 0:
                    raise KeyboardInterrupt
                left -= 1
                return function(*args, **kwargs)

            return wrapped

        with monkeypatch.context() as patch:
            for name in ("rename", "unlink", "rmdir", "mkdir"):
                patch.setattr(Path, name, killer(getattr(Path, name)))
            patch.setattr("dflcolab.files.os.replace", killer(__import__("os").replace))
            try:
                rename_all(folder, names, in_one_step=False)
                killed = False
            except KeyboardInterrupt:
                killed = True

        recover(folder)

        found = {path.name: path.read_text() for path in folder.glob("*.jpg")}
        old = {name: name for name in names}
        new = {after: before for before, after in names.items()}
        assert found in (old, new), f"killed at step {step}: {found}"
        assert not (folder / JOURNAL_NAME).exists()
        assert not (folder / STAGING_NAME).exists()
        if not killed:
            break
        step += 1
    assert step > 10


_SORTER = """
import sys
from pathlib import Path
from dflcolab.faceset.config import SortConfig, SortKind
from dflcolab.pipeline.sort import sort
from dflcolab.workspace.workspace import Side, Workspace
workspace = Workspace.open(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    for kind in (SortKind.HUE, SortKind.BRIGHTNESS):
        sort(workspace, SortConfig(side=Side.SRC, by=kind))
"""


@pytest.mark.parametrize("attempt", range(4))
def test_sigkill_during_sort_loses_no_file(faces: list[Path], tmp_path: Path, attempt: int):
    from dflcolab.workspace.settings import WorkspaceSettings, write_settings

    write_settings(tmp_path, WorkspaceSettings(name="test"))
    (tmp_path / "data_src").mkdir()
    folder = faces[0].parent.rename(tmp_path / "data_src" / "aligned")
    before = contents(folder)
    process = subprocess.Popen(
        [sys.executable, "-c", _SORTER, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.1 + 0.037 * attempt)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    assert contents(folder) == before
    recover(folder)
    assert contents(folder) == before
    assert not (folder / STAGING_NAME).exists()
    assert len(list(folder.glob("*.jpg"))) == len(before)
