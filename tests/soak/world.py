"""One user's machine and their remote: programs are killed, and what they acknowledged is asked back."""

from __future__ import annotations

import os
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from dflcolab.workspace.settings import WorkspaceSettings, write_settings
from tests.soak.child import MODEL, Job, start

FACES = Path(__file__).parents[1] / "data" / "vectors" / "imaging" / "sort" / "faces"
_LIMIT_S = 120.0
_STEP_LIMIT_S = 12.0  # for a step that does not come: faults leave some out
_STEPS = 24  # changes of the disk that are tried in turn; a save makes 15, a copy some more
_SAVED = re.compile(r"said Iteration (\d+): saved on this machine\.")
_COPIED = re.compile(r"said .*Iteration (\d+) on \S+ \((\S+)\): (uploaded|written and read back)")
_COPIED_NAME = re.compile(r"said .*Iteration (\d+) on \S+ \((\S+)\): handed to Drive")
_UPLOADED = re.compile(r"said (\d{6,}-f\d+-\w+): (?:uploaded|written and read back)")
_SAVES = re.compile(r"saves (\d+ \w+)")
_RESUMED = re.compile(r"resumed (\d+) (\w+) (\w+) losses")


class World:
    """A machine's folder, a remote's folder, and what was acknowledged.

    Args:
        folder: Where both are.
        rng: Draws moments.
        faulty: The remote is a faulty mount.
    """

    def __init__(self, folder: Path, rng: random.Random, *, faulty: bool) -> None:
        self.root, self.remote = folder / "machine" / "w", folder / "cloud"
        self._rng, self._faulty = rng, faulty
        self.local = 0
        self.remote_iteration = 0
        self._by_name: dict[str, int] = {}
        self._begun = {"0 new"}
        self._seconds = {"train": 12.0, "push": 1.0, "pull": 1.0}
        self._steps = Counter[str]()
        self.kills: Counter[str] = Counter()
        self.others: Counter[str] = Counter()
        self.resumes = 0
        self._before = "nothing"
        self.problems: list[str] = []
        self._new_machine()

    @property
    def _where(self) -> str:
        return "faulty store" if self._faulty else "local disk"

    def _new_machine(self) -> None:
        self.root.mkdir(parents=True)
        write_settings(self.root, WorkspaceSettings(name="soak"))
        for side in ("src", "dst"):
            aligned = self.root / f"data_{side}" / "aligned"
            aligned.mkdir(parents=True)
            for face in sorted(FACES.glob("*.jpg"))[:4]:
                shutil.copy(face, aligned)

    def lose_machine(self) -> None:
        """Everything on it is gone; what is left is what the remote has acknowledged."""
        shutil.rmtree(self.root)
        self.local = 0
        self.others["machine lost"] += 1
        if not self.remote_iteration:
            self._new_machine()  # nothing to come back to

    def train(self) -> None:
        """Train, resumed, and kill it at some moment of one of three kinds."""
        kind = self._rng.choice(("at random", "inside a save", "inside a copy"))
        inside = {"inside a save": f"/model/{MODEL}/", "inside a copy": str(self.remote)}
        step = None
        if kind in inside:
            step = self._steps[kind] % _STEPS
            self._steps[kind] += 1
        self._kill("train", kind, step, inside.get(kind, ""))

    def push(self) -> None:
        """`sync push`, killed."""
        self._kill_sync("push", str(self.remote))

    def pull(self) -> None:
        """`sync pull`, killed: it may put the copy in the place of a newer state, as was asked."""
        self._kill_sync("pull", str(self.root))
        self.local = min(self.local, self.remote_iteration)

    def _kill_sync(self, what: str, inside: str) -> None:
        kind = self._rng.choice(("at random", "at a step"))
        step = self._steps[what] % _STEPS if kind == "at a step" else None
        self._steps[what] += kind == "at a step"
        self._kill(what, kind, step, inside)

    def check(self) -> None:
        """Let a training begin once more, and ask what it resumes from."""
        self._kill("train", "asked at the end", None, "", after_resume=0.0)

    def _kill(
        self, what: str, kind: str, step: int | None, inside: str, after_resume: float | None = None
    ) -> None:
        job = Job(
            what, self.root, self.remote, self._faulty, self._rng.getrandbits(32), step, inside
        )
        wait_s = after_resume
        if wait_s is None:
            seconds = self._seconds[what]
            wait_s = self._rng.uniform(0, 1.2) * seconds if step is None else _STEP_LIMIT_S
        child, pipe = start(job)
        lines = self._listen(child, pipe, what, wait_s)
        os.close(pipe)
        status = os.waitpid(child, 0)[1]
        died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if died:
            self.kills[f"{what}, {kind}"] += 1
        else:
            self.others[f"{what}, ended before"] += 1
        how = f"{what} killed {kind} (step {step}, {wait_s:.2f} s)"
        self._judge(how, lines)
        self._before = how

    def _listen(self, child: int, pipe: int, what: str, wait_s: float) -> list[str]:
        """Read until the child has died, and kill it when its time has come."""
        text, begin = b"", time.monotonic()
        until = begin + (_LIMIT_S if what == "train" else wait_s)
        seen = begin
        while True:
            left = until - time.monotonic()
            ready = select.select([pipe], [], [], max(0.0, left))[0]
            if not ready:
                os.kill(child, signal.SIGKILL)
                until = time.monotonic() + _LIMIT_S
                continue
            piece = os.read(pipe, 1 << 16)
            if not piece:
                return text.decode().splitlines()
            before, text = text, text + piece
            if what == "train" and b"resumed" in text and b"resumed" not in before:
                seen = time.monotonic()
                until = seen + wait_s
            if text.count(b"saved on") >= 2 > before.count(b"saved on"):
                # Two saves long, whatever else loads the machine.
                self._seconds["train"] = time.monotonic() - seen

    def _judge(self, how: str, lines: list[str]) -> None:
        """Compare what the program said with what was acknowledged before."""
        for line in lines:
            if match := _RESUMED.match(line):
                known = f"{match[1]} {match[2]}" in self._begun
                self._resumed(how, int(match[1]), whole=known and match[3] == "with")
            elif match := _SAVES.match(line):
                self._begun.add(match[1])
            elif match := _SAVED.match(line):
                self.local = max(self.local, int(match[1]))
            elif match := _COPIED.match(line):
                self._copied(int(match[1]))
            elif match := _COPIED_NAME.match(line):
                self._by_name[match[2]] = int(match[1])
            elif match := _UPLOADED.match(line):
                self._copied(self._by_name.get(match[1], 0))
            elif line.startswith("failed" if self._faulty else ("failed", "refused")):
                self.problems.append(f"{self._where}, {how}: {line}")

    def _resumed(self, how: str, iteration: int, *, whole: bool) -> None:
        self.resumes += 1
        wanted = max(self.local, self.remote_iteration)
        if iteration < wanted:
            self.problems.append(
                f"{self._where}: resumed at {iteration}, acknowledged were {self.local} here and "
                f"{self.remote_iteration} there; {how}, after {self._before}"
            )
        if not whole:
            self.problems.append(
                f"{self._where}: a mixture of states at {iteration}; {how}, after {self._before}"
            )

    def _copied(self, iteration: int) -> None:
        self.remote_iteration = max(self.remote_iteration, iteration)


def real_processes(world: World, kills: int, rng: random.Random, seconds: float) -> None:
    """`python -m dflcolab train` with its real step, as a user starts it, killed at random moments."""
    words = [sys.executable, "-m", "dflcolab", "train", "-w", str(world.root), "--model", "real",
             "--preset", "tiny", "--batch", "1", "--set", "save_every=2", "--remote",
             str(world.remote), "--push-minutes", "0.005", "--preview-every", "0"]  # fmt: skip
    acknowledged = 0
    for _ in range(kills):
        process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, bufsize=1
        )
        assert process.stderr is not None
        begin, delay = time.monotonic(), rng.uniform(0.5, 1.0) * seconds
        lines: list[str] = []
        while time.monotonic() - begin < delay:
            if select.select([process.stderr], [], [], 0.2)[0]:
                lines.append(process.stderr.readline())
        process.kill()
        lines += process.stderr.read().splitlines()
        process.wait()
        world.kills["dflcolab train, at random"] += 1
        text = "\n".join(lines)
        if "Traceback" in text or "unexpected failure" in text:
            world.problems.append(f"dflcolab train: {text[-500:]}")
        found = subprocess.run(
            [sys.executable, "-m", "dflcolab", "model", "info", "-w", str(world.root), "--model",
             "real", "--json"], capture_output=True, text=True, check=False,
        )  # fmt: skip
        saved = [int(n) for n in re.findall(r"Iteration (\d+): saved on this machine", text)]
        acknowledged = max([acknowledged, *saved])
        at = re.search(r'"iteration": (\d+)', found.stdout)
        whole = '"verified": true' in found.stdout
        if acknowledged and (at is None or int(at[1]) < acknowledged or not whole):
            world.problems.append(
                f"dflcolab train: {acknowledged} was acknowledged, found {found.stdout[:200]}"
            )
        world.resumes += 1
