"""What is killed: verbs on small real facesets, and what must hold after a kill.

Nothing here decodes a picture in this process: OpenCV's threads do not survive a fork, and the
verbs run in forked children.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

import dflcolab.detection.embedding  # noqa: F401 - here once, not in every child
from dflcolab.errors import DFLColabError
from dflcolab.faceset.config import CleanConfig, PackConfig, SortConfig, SortKind
from dflcolab.faceset.exchange import shadow_of
from dflcolab.faceset.renaming import JOURNAL_NAME, STAGING_NAME
from dflcolab.formats.dfl_jpeg import embed, read_record
from dflcolab.formats.faceset_pak import PAK_NAME, PakReader
from dflcolab.pipeline.clean import clean
from dflcolab.pipeline.pack import pack, unpack
from dflcolab.pipeline.sort import sort
from dflcolab.workspace.settings import WorkspaceSettings, write_settings
from dflcolab.workspace.trash import Trash
from dflcolab.workspace.workspace import Side, Workspace

FACES = Path(__file__).parents[1] / "data" / "vectors" / "imaging" / "sort" / "faces"


@dataclass(frozen=True)
class Scenario:
    """A verb, the workspace it starts from, and how strictly its raw state is judged.

    Attributes:
        name: For people.
        words: The command line behind `dflcolab`, without the workspace.
        verb: The same as a call.
        prepare: Changes the plain workspace into the one to start from.
        in_one_step: The folder may show the old order or the new one only, even before `recover`.
        copies: The verb has faces twice for a while (pack: in the pack and loose).
    """

    name: str
    words: tuple[str, ...]
    verb: Callable[[Workspace], object]
    prepare: Callable[[Workspace], None] = lambda _: None
    in_one_step: bool = False
    copies: bool = False


@dataclass
class State:
    """What lies in a workspace, as a user finds it, by content.

    Attributes:
        live: Name to hash of the visible loose pictures.
        packed: Name to hash of the faces in the pack.
        trash: Hashes of the pictures in the trash.
        staged: Hashes of what waits in the staging folder of the journal's way.
        strange: Hidden and temporary files, which only a killed run leaves.
        problems: What must never be.
    """

    live: dict[str, str] = field(default_factory=dict)
    packed: dict[str, str] = field(default_factory=dict)
    trash: list[str] = field(default_factory=list)
    staged: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def count(self) -> Counter[str]:
        """How often each picture is there."""
        return Counter([*self.live.values(), *self.packed.values(), *self.trash, *self.staged])

    def outcome(self) -> tuple[object, ...]:
        """What an uninterrupted run is compared by; names in the trash may differ."""
        return self.live, sorted(self.packed.items()), sorted(self.trash), self.strange


def state_of(root: Path) -> State:
    """Look at a workspace without changing it."""
    workspace = Workspace.open(root)
    folder, state = _aligned(workspace), State()
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if not path.is_file():
            continue
        if inner.parts[0] == STAGING_NAME:
            state.staged.append(_hash(path))
        if inner.parts[0].startswith("."):
            state.strange.append(str(inner))
        elif path.name == PAK_NAME:
            _look_into(path, state)
        else:
            state.live[str(inner)] = _hash(path)
    if shadow_of(folder).exists():
        state.strange.append("beside: " + shadow_of(folder).name)
    _look_at_trash(Trash.of(workspace, Side.SRC), state)
    return state


def _look_into(pack: Path, state: State) -> None:
    try:
        with PakReader(pack) as reader:
            state.packed = {
                name: hashlib.sha256(reader.jpeg(index)).hexdigest()
                for index, name in enumerate(reader.names)
            }
    except DFLColabError as error:
        state.problems.append(f"the pack does not open: {error}")


def _look_at_trash(trash: Trash, state: State) -> None:
    if not trash.folder.is_dir():
        return
    for path in sorted(trash.folder.iterdir()):
        if path.suffix in (".jpg", ".png"):
            state.trash.append(_hash(path))
    for entry in trash.entries():
        if entry.reason in ("", "put here by another program"):
            state.problems.append(f"{entry.trash_name} lies in the trash without its reason")


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def judge(scenario: Scenario, start: State, end: State, found: State) -> list[str]:
    """What is wrong with the raw state that a kill left; empty: nothing."""
    problems = list(found.problems)
    known, counts = start.count(), found.count()
    for which, number in known.items():
        if counts[which] < number:
            problems.append(f"a picture is lost ({which[:8]})")
        elif counts[which] > number and not scenario.copies:
            problems.append(f"a picture is there twice ({which[:8]})")
    problems += [
        f"a damaged picture lies in the open ({which[:8]})"
        for which in counts
        if which not in known
    ]
    if scenario.in_one_step:
        rest = {name: which for name, which in start.live.items() if which not in found.trash}
        if found.live not in (rest, end.live):
            problems.append("the folder shows neither the old order nor the new one")
        if found.staged or JOURNAL_NAME in found.strange:
            problems.append("the way of the journal was taken")
    return problems


def place(start: State, end: State, found: State) -> str:
    """Where a kill landed: before the first change, after the last, or in between."""
    if found.outcome() == start.outcome():
        return "before"
    if found.outcome() == end.outcome():
        return "after"
    return "between"


def make_workspace(root: Path, faces: Path | None = None) -> Workspace:
    """A workspace with the 21 faces of the sorting vectors, one of them without face data."""
    root.mkdir(parents=True)
    write_settings(root, WorkspaceSettings(name="crash"))
    shutil.copytree(faces or FACES, root / "data_src" / "aligned")
    (root / "data_dst").mkdir()
    return Workspace.open(root)


def _no_exchange(workspace: Workspace) -> None:
    """A file has the hidden folder's name, so renaming goes the way of the journal."""
    shadow_of(_aligned(workspace)).write_text("in the way")


def _dark(workspace: Workspace) -> None:
    """Four faces get a black picture, for `clean --exposure` (a check without networks: fast)."""
    for number, path in enumerate(sorted(_aligned(workspace).glob("0000[0-1]_*.jpg"))):
        record = read_record(path)
        assert record is not None
        black = np.full((256, 256, 3), number, np.uint8)  # four pictures, not one four times
        path.write_bytes(embed(cv2.imencode(".jpg", black)[1].tobytes(), record))


def _twice(workspace: Workspace) -> None:
    """Four faces are there a second time, as frames of another video have them."""
    for path in sorted(_aligned(workspace).glob("0000[0-3]_0.jpg")):
        record = read_record(path)
        assert record is not None
        other = record.replace(source_filename=f"2-{path.stem}.png")
        path.with_name(f"2-{path.name}").write_bytes(embed(path.read_bytes(), other))


def _aligned(workspace: Workspace) -> Path:
    return workspace.aligned_dir(Side.SRC)


_TWO_PEOPLE = ("00000_1.jpg", "00002_0.jpg", "00005_0.jpg", "00006_1.jpg", "00046_0.jpg",
               "00002_1.jpg", "00004_0.jpg", "00007_0.jpg")  # fmt: skip


def _of_one_person(workspace: Workspace, *, dry_run: bool = False) -> None:
    clean(workspace, CleanConfig(side=Side.SRC, identity=("auto",), dry_run=dry_run))


def _several_people(workspace: Workspace) -> None:
    """Photographs of two people, their identity vectors known, so that no run waits for the network."""
    for path in sorted(_aligned(workspace).iterdir()):
        record = read_record(path)
        if record is None or path.name not in _TWO_PEOPLE:
            path.unlink()
        else:  # what these frames are numbered by is chance, and would make tracks of them
            photo = record.replace(source_filename=f"{path.stem[:5]} of a book.png")
            path.write_bytes(embed(path.read_bytes(), photo))
    _of_one_person(workspace, dry_run=True)


def _clean(workspace: Workspace, *, undo: bool = False) -> None:
    clean(workspace, CleanConfig(side=Side.SRC, exposure=not undo, undo=undo))


def _cleaned(workspace: Workspace) -> None:
    _dark(workspace)
    _clean(workspace)


def _packed(workspace: Workspace) -> None:
    pack(workspace, PackConfig(side=Side.SRC))
    # What is no face stays loose, and is not what this is about.
    for path in _aligned(workspace).glob("*.jpg"):
        path.unlink()


def _partly_packed(workspace: Workspace) -> None:
    folder = _aligned(workspace)
    aside = [path.rename(workspace.root / path.name) for path in sorted(folder.glob("0000[0-3]*"))]
    _packed(workspace)
    for path in aside:
        path.rename(folder / path.name)


def _by(kind: SortKind) -> Callable[[Workspace], object]:
    return lambda workspace: sort(workspace, SortConfig(side=Side.SRC, by=kind))


SCENARIOS: tuple[Scenario, ...] = (
    *(
        Scenario(f"sort {kind.value}", ("sort", "--by", kind.value), _by(kind), in_one_step=True)
        for kind in (SortKind.HUE, SortKind.FACE_YAW, SortKind.HIST, SortKind.RECOVER_NAMES)
    ),
    *(
        Scenario(
            f"sort {kind.value}, journal", ("sort", "--by", kind.value), _by(kind), _no_exchange
        )
        for kind in (SortKind.BRIGHTNESS, SortKind.FACE_PITCH)
    ),
    Scenario(
        "clean",
        ("clean", "--exposure"),
        _clean,
        _dark,
    ),
    Scenario(
        "clean --duplicates",
        ("clean", "--duplicates"),
        lambda workspace: clean(workspace, CleanConfig(side=Side.SRC, duplicates=True)),
        _twice,
    ),
    Scenario(
        "identity",  # not "clean …": its half second a run is for `make crash`, not for the tests
        ("clean", "--identity", "auto"),
        _of_one_person,
        _several_people,
    ),
    Scenario(
        "clean --undo",
        ("clean", "--undo"),
        lambda workspace: _clean(workspace, undo=True),
        _cleaned,
    ),
    Scenario(
        "pack",
        ("pack",),
        lambda workspace: pack(workspace, PackConfig(side=Side.SRC)),
        copies=True,
    ),
    Scenario(
        "pack, append",
        ("pack",),
        lambda workspace: pack(workspace, PackConfig(side=Side.SRC)),
        _partly_packed,
        copies=True,
    ),
    Scenario(
        "unpack",
        ("unpack",),
        lambda workspace: unpack(workspace, PackConfig(side=Side.SRC)),
        _packed,
        copies=True,
    ),
)


def journal_lines(root: Path) -> list[dict[str, object]]:
    """The trash's journal, which must be readable line by line except for a torn last one."""
    path = Workspace.open(root).trash_dir(Side.SRC) / "trash.jsonl"
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[:-1]]
