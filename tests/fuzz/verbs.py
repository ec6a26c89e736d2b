"""Whole verbs on a faceset that holds hostile files: a report or one sentence, and no file lost.

Each command runs in a forked child of this process, which itself never decodes a picture (OpenCV's
threads do not survive a fork), so that imports are paid once.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from dflcolab.cli.main import main as dflcolab
from dflcolab.formats.faceset_pak import PAK_NAME, PakReader
from tests.crash.scenarios import make_workspace
from tests.fuzz.material import CANARY
from tests.fuzz.run import make_input

LONGEST = 240.0  # seconds; the machines that run this are busy

_CHECKS = ("--exposure", "--blur", "--duplicates", "--small", "--cut-off")
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("mask", "stats", "--json"),
    ("mask", "stats"),
    ("clean", *_CHECKS, "--dry-run", "--json"),
    ("sort", "--by", "hue", "--json"),
    ("clean", *_CHECKS, "--dry-run"),
    ("sort", "--by", "hist"),
    ("sort", "--by", "face-yaw"),
    ("clean", "--undo", "--json"),
    ("sort", "--by", "recover-names"),
    ("pack",),
    ("unpack",),
    ("sort", "--by", "blur"),
    ("sort", "--by", "motion-blur"),
    ("sort", "--by", "face-pitch"),
    ("sort", "--by", "hist-dissim"),
    ("sort", "--by", "absdiff"),
    ("sort", "--by", "duplicates"),
    ("clean", "--undo"),
    ("sort", "--by", "expression"),
    ("sort", "--by", "dissimilar-face"),
    ("sort", "--by", "brightness"),
    ("sort", "--by", "oneface"),
    ("sort", "--by", "black"),
    ("clean", *_CHECKS),
    ("clean", "--undo"),
    ("sort", "--by", "final"),
    ("sort", "--by", "face-source-rect-size"),
    ("clean", "--undo"),
    ("sort", "--by", "final-faster"),
    ("sort", "--by", "origname"),
    ("pack", "--json"),
    ("clean", "--undo"),
    ("pack",),
    ("sort", "--by", "hue"),
    ("unpack",),
)
"""In an order in which each finds the others' leavings: trash with old names, packs, loose files."""

CHANGING: tuple[tuple[str, ...], ...] = (
    ("mask", "export"),
    ("metadata", "save"),
    ("metadata", "restore"),
    ("mask", "remove", "--what", "all"),
    ("resize", "--size", "128"),
    ("resize", "--undo"),
)
"""Verbs that write other content into face files; the number of files is what can be judged."""

WITH_NETWORKS: tuple[tuple[str, ...], ...] = (
    ("clean", "--dry-run"),
    ("report",),
    ("sort", "--by", "identity"),
    ("sort", "--by", "landmark-quality"),
    ("clean",),
    ("clean", "--undo"),
)
"""Verbs that judge faces by networks; seconds each."""

WRONG: tuple[tuple[tuple[str, ...], int], ...] = (
    (("sort", "--by", "nonsense"), 1),
    (("sort", "--by", ""), 1),
    (("sort", "--side", "both"), 1),
    (("clean", "--blur-threshold", "-5"), 1),
    (("clean", "--duplicate-threshold", "nan"), 1),
    (("clean", "--identity", "no/such/picture.jpg"), 1),
    (("clean", "--undo", "--only", "no such face"), 1),
    (("mask", "nonsense"), 2),
    (("pack", "--nonsense"), 2),
    (("unpack",), 1),
)
"""Wrong options on good faces, with the exit code of each (2: usage, 1: refused)."""


@dataclass
class VerbTally:
    """How commands ended, by their words; what was wrong."""

    endings: Counter[tuple[str, int]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def table(self) -> str:
        names = sorted({name for name, _ in self.endings})
        lines = [f"{'':60}{'exit 0':>8}{'exit 1':>8}{'exit 2':>8}"]
        lines += [
            f"{name[:58]:60}" + "".join(f"{self.endings[name, code]:8}" for code in range(3))
            for name in names
        ]
        return "\n".join(lines)


def hostile_workspace(root: Path, *, seed: int, hostile: int) -> None:
    """21 good faces, `hostile` damaged ones, and files with names nobody expects."""
    make_workspace(root)
    folder = root / "data_src" / "aligned"
    number = found = 0
    while found < hostile:
        given = make_input(seed, number)
        number += 1
        if given.suffix == ".jpg":
            (folder / f"{50_000 + found}_0.jpg").write_bytes(given.data)
            found += 1
    good = (folder / "00000_0.jpg").read_bytes()
    names = [b"odd\xff.jpg", b"new\nline.jpg", b"--help.jpg", b"a space.jpg", "ü ä 顔.jpg".encode(),
             b"x" * 251 + b".jpg", b"UPPER.JPG", b"two.dots.jpeg", b"\x1b[2Jclear.jpg"]  # fmt: skip
    for place, raw in enumerate(names):
        # Bytes behind the picture keep the files apart by content.
        (folder / os.fsdecode(raw)).write_bytes(good + b"#%d" % place)
        # And damaged ones, so that sentences name them.
        (folder / os.fsdecode(b"0" + raw[-240:])).write_bytes(good[: 600 + place])
    (folder / "empty.jpg").touch()
    (folder / "text.png").write_text("no picture")
    (folder / ".hidden.jpg").write_bytes(good + b"#hidden")
    (folder / "broken.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(folder / "pipe.jpg")


def pictures(root: Path) -> Counter[str]:
    """Hashes of all files that a user finds, loose, in the trash or in packs; hidden ones do not count."""
    found: Counter[str] = Counter()
    for path in root.rglob("*"):
        if not path.is_file() or path.is_symlink() or path.name.startswith("."):
            continue
        if path.name == PAK_NAME:
            with PakReader(path) as reader:
                for index in range(len(reader)):
                    found[hashlib.sha256(reader.jpeg(index)).hexdigest()] += 1
        elif path.suffix.lower() in (".jpg", ".jpeg", ".png"):
            found[hashlib.sha256(path.read_bytes()).hexdigest()] += 1
    return found


def run_command(root: Path, words: tuple[str, ...], scratch: Path) -> tuple[int, str, str]:
    """Exit code, output and errors of one command; code -1 if it took too long."""
    side = () if "--side" in words or words[0] == "report" else ("--side", "src")
    complete = [*words, *side, "-w", str(root), "--quiet"]
    out, err = scratch / "out", scratch / "err"
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.chdir(scratch)
            for number, path in ((1, out), (2, err)):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
            sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
            sys.stderr = open(  # noqa: SIM115
                2, "w", encoding="utf-8", errors="backslashreplace", closefd=False
            )
            code = dflcolab(complete)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        os._exit(99)
    until = time.monotonic() + LONGEST
    while time.monotonic() < until:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            code = os.waitstatus_to_exitcode(status)
            return code, out.read_text(errors="replace"), err.read_text(errors="replace")
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1, "", "took too long"


def judge_command(
    words: tuple[str, ...], ending: tuple[int, str, str], allowed: tuple[int, ...]
) -> list[str]:
    """What is wrong with how a command ended."""
    code, _, errors = ending
    problems: list[str] = []
    if code not in allowed:
        problems.append(f"exit code {code}: {errors[-300:]!r}")
    if "Traceback" in errors or "unexpected failure" in errors:
        problems.append(f"an unexpected failure: {errors[-300:]!r}")
    # libjpeg writes its own warnings about pictures; they are no part of the program's sentence.
    own = [line for line in errors.splitlines() if line.startswith("dflcolab ")]
    if code == 1 and len(own) != 1:
        problems.append(f"not one sentence: {errors[-300:]!r}")
    return problems


def verbs_on(
    root: Path,
    scratch: Path,
    tally: VerbTally,
    *,
    label: str,
    commands: tuple[tuple[str, ...], ...] = COMMANDS,
    keep_content: bool = True,
) -> None:
    """Run commands one after the other on one workspace; no picture may ever be missing."""
    scratch.mkdir(exist_ok=True)
    before = pictures(root)
    for number, words in enumerate(commands):
        ending = run_command(root, words, scratch)
        name = " ".join(words)
        tally.endings[name, ending[0]] += 1
        problems = judge_command(words, ending, (0, 1))
        now = pictures(root)
        if not keep_content and now.total() >= before.total():
            before = now
        missing = before - now
        if missing:
            problems.append(f"{missing.total()} pictures are lost")
            before -= missing
        if list(root.rglob(CANARY)) or (scratch / CANARY).exists():
            problems.append("something was executed")
        tally.failures += [f"{label}, command {number} ({name}): {text}" for text in problems]


def wrong_options(root: Path, scratch: Path, tally: VerbTally) -> None:
    """Wrong options on good faces: refused, and nothing changed."""
    scratch.mkdir(exist_ok=True)
    make_workspace(root)
    before = sorted(path.name for path in (root / "data_src" / "aligned").iterdir())
    for words, code in WRONG:
        ending = run_command(root, words, scratch)
        name = " ".join(words)
        tally.endings[name, ending[0]] += 1
        problems = judge_command(words, ending, (code,))
        if sorted(path.name for path in (root / "data_src" / "aligned").iterdir()) != before:
            problems.append("files changed")
        tally.failures += [f"wrong options ({name}): {text}" for text in problems]


def hostile_packs(home: Path, scratch: Path, tally: VerbTally, *, seed: int, count: int) -> None:
    """Verbs that open a pack, on damaged and hostile ones; the pack must stay as it is."""
    scratch.mkdir(exist_ok=True)
    number = found = 0
    while found < count:
        given = make_input(seed, number)
        number += 1
        if given.suffix != ".pak":
            continue
        root = home / f"pack{found}"
        found += 1
        make_workspace(root)
        folder = root / "data_src" / "aligned"
        pack = folder / PAK_NAME
        pack.write_bytes(given.data)
        loose = {path.name: path.read_bytes() for path in folder.glob("*.jpg")}
        for words in (("sort", "--by", "hue"), ("unpack",), ("pack",)):
            ending = run_command(root, words, scratch)
            name = f"{' '.join(words)} (hostile pack)"
            tally.endings[name, ending[0]] += 1
            problems = judge_command(words, ending, (0, 1))
            if ending[0] == 1 and (not pack.exists() or pack.read_bytes() != given.data):
                problems.append("a refused pack was changed")
            escaped = [p for p in home.iterdir() if not p.name.startswith("pack")]
            if escaped or (root / "evil.jpg").exists() or list(home.rglob(CANARY)):
                problems.append(f"something left its folder: {escaped}")
            tally.failures += [
                f"pack of seed {seed}, number {number - 1} ({given.kind}), {name}: {text}"
                for text in problems
            ]
            if ending[0] == 0:
                break  # an acceptable pack: its faces are loose now, or the loose ones in it
        if ending[0] == 1:
            lost = [n for n, data in loose.items() if not (folder / n).exists()]
            if lost:
                tally.failures.append(f"pack {number - 1}: lost {lost[:3]}")


def run(home: Path, *, seed: int, hostile: int, packed: int, networks: bool) -> VerbTally:
    """All of it once, in a scratch folder."""
    tally = VerbTally()
    scratch = home / "scratch"
    root = home / "hostile"
    hostile_workspace(root, seed=seed, hostile=hostile)
    verbs_on(root, scratch, tally, label=f"seed {seed}")
    # A fresh one: names in the trash may collide with packed ones by now, so that unpack refuses.
    label, root = f"seed {seed}", home / "hostile again"
    hostile_workspace(root, seed=seed, hostile=hostile)
    append = ("append", "--from", str(home / "hostile" / "data_src" / "aligned"))
    changing = (*CHANGING, append)
    verbs_on(root, scratch, tally, label=label, commands=changing, keep_content=False)
    if networks:
        verbs_on(root, scratch, tally, label=label, commands=WITH_NETWORKS)
    wrong_options(home / "good", scratch, tally)
    (home / "packs").mkdir()
    hostile_packs(home / "packs", scratch, tally, seed=seed, count=packed)
    return tally
