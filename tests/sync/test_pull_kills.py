"""A pull that is killed leaves the old workspace or leads to the new one, never to a mixture."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dflcolab.sync.pull import pull
from dflcolab.sync.push import push
from dflcolab.workspace.workspace import Workspace

# Forks children that pull one copy and the other in turn, kills each after another time, opens the
# workspace and compares it with both. A process of its own: it forks without other threads around.
_KILLER = """
import os, shutil, signal, sys, time
from pathlib import Path
from dflcolab.sync.pull import pull
from dflcolab.workspace.workspace import Workspace
from tests.sync.conftest import files_of

shelf, root = sys.argv[1], Path(sys.argv[2])
wanted = [files_of(Path(path)) for path in sys.argv[3:5]]
pull(shelf, root, generation=1)
begin = time.monotonic()
pull(shelf, root, generation=2)
seconds = time.monotonic() - begin
for attempt in range(20):
    child = os.fork()
    if child == 0:
        for number in range(1000):
            pull(shelf, root, generation=1 + number % 2)
    time.sleep(seconds * (0.1 + attempt / 8))  # from a tenth of one pull to two and a half
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    Workspace.open(root)
    shutil.rmtree(root / "history" / "replaced", ignore_errors=True)
    found = files_of(root)
    assert found in wanted, [path for path in found if found[path] != wanted[0].get(path)]
    print(wanted.index(found), flush=True)
"""


def test_after_a_kill_the_workspace_is_that_of_one_copy(workspace: Workspace, tmp_path: Path):
    shelf = tmp_path / "shelf"
    push(workspace, shelf)
    pull(shelf, tmp_path / "first")
    for face in (workspace.root / "data_src" / "aligned").iterdir():
        face.write_bytes(face.read_bytes() + b"changed")
    (workspace.root / "model" / "first" / "ckpt-000000010" / "weights.safetensors").unlink()
    (workspace.root / "data_dst.mp4").write_bytes(b"another")
    push(workspace, shelf)
    pull(shelf, tmp_path / "second")

    arguments = [shelf, tmp_path / "w", tmp_path / "first", tmp_path / "second"]
    done = subprocess.run(
        [sys.executable, "-c", _KILLER, *map(str, arguments)],
        capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert {"0", "1"} <= set(done.stdout.split())
