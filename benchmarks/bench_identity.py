"""Finding foreign faces: precision and recall of `clean --identity`, and the margin of its limit.

Facesets are mixed on purpose: one person of a clip, and faces of several others (the other clips
and single people of photographs). Every clip's person is the wanted one in turn. Faces are the real
crops of `extract`; where a set needs more than a clip has, they are varied as footage varies
(mirrored, darker, warmer, softer, smaller). What is measured is the decision that `clean` makes,
`judge_identity`, in three ways: the largest group, a reference picture that is not in the set, and
both again with tracks where one frame in twenty was spoilt beyond recognition.

Needs the developers' pictures (`../shared/data/faces`); without them only the demo's two people and
one photograph of five are mixed, and the table says so.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from benchmarks.machine import Table, print_machine
from dflcolab.detection.embedding import embed_face
from dflcolab.extraction.config import ExtractConfig
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faceset.face_files import FaceFile, for_each_face
from dflcolab.faceset.person_choice import judge_identity
from dflcolab.faceset.tracks import find_tracks
from dflcolab.media.probe import probe
from dflcolab.pipeline.extract import extract
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Side, Workspace

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data" / "faces"
DEMO = ROOT / "dflcolab" / "assets" / "demo"
MULTI = ROOT / "tests" / "data" / "faces" / "multi.jpg"

SIZES = (20, 100, 500, 2000)
SHARES = (0.02, 0.1, 0.4)
WAYS = ("auto", "picture")
SPOILT_SHARE = 0.05

# Files that show somebody who is in another file too.
_SAME_AS_SPEAKER = ("person_m", "two_men_0")
_SAME_AS_N = ("person_n", "two_men_1")


@dataclass(frozen=True, eq=False)
class Shot:
    """One face: who it is, its identity vector, and where it was in its video."""

    person: str
    vector: np.ndarray
    record: FaceRecord
    varied: bool
    photo: bool
    spoilt: np.ndarray


@dataclass
class Tally:
    """Foreign faces found and missed, own ones lost."""

    found: int = 0
    missed: int = 0
    lost: int = 0
    kept: int = 0
    sets: int = 0
    spoilt_sets: int = 0

    def add(self, foreign: set[str], truth: set[str], n: int) -> None:
        """Count one set."""
        self.found += len(foreign & truth)
        self.missed += len(truth - foreign)
        self.lost += len(foreign - truth)
        self.kept += n - len(truth | foreign)
        self.sets += 1
        self.spoilt_sets += foreign != truth

    @property
    def precision(self) -> float:
        """Of the faces proposed, the share that is foreign."""
        return self.found / max(self.found + self.lost, 1)

    @property
    def recall(self) -> float:
        """Of the foreign faces, the share that is proposed."""
        return self.found / max(self.found + self.missed, 1)


@dataclass
class Pool:
    """All faces by person; the people of clips are wanted in turn."""

    shots: dict[str, list[Shot]] = field(default_factory=lambda: defaultdict(list))

    @property
    def wanted(self) -> list[str]:
        """People with a clip."""
        return sorted(
            person
            for person, shots in self.shots.items()
            if sum(not shot.photo for shot in shots) >= 50
        )


Change = Callable[[np.ndarray], np.ndarray]
CHANGES: tuple[Change, ...] = (
    lambda image: np.clip(image * 0.6, 0, 255).astype(np.uint8),
    lambda image: np.clip(image * np.array([0.8, 1.0, 1.2]), 0, 255).astype(np.uint8),
    lambda image: cv2.GaussianBlur(image, (0, 0), image.shape[0] / 120),
    lambda image: cv2.resize(cv2.resize(image, (96, 96), interpolation=cv2.INTER_AREA),
                             image.shape[1::-1]),
    lambda image: np.clip(image * 1.3 + 10, 0, 255).astype(np.uint8),
)  # fmt: skip


def spoil(image: np.ndarray) -> np.ndarray:
    """A frame in which nobody is to be recognised: motion blur and darkness."""
    return (cv2.GaussianBlur(image, (0, 0), image.shape[0] / 20) * 0.5).astype(np.uint8)


def gather(*, per_clip: int, per_photo: int, most: int = 0, shared: Path | None = SHARED) -> Pool:
    """Extract and embed everything.

    Args:
        per_clip: Faces wanted of each clip; varied ones fill up.
        most: Faces wanted of the longest clip, if more.
        per_photo: Faces wanted of each person of a photograph.
        shared: Folder with the developers' pictures, None for the shipped ones only.
    """
    if shared is not None and shared.is_dir():
        clips = sorted((shared / "video").glob("*.mp4"))
        photos = sorted(path for name in ("group", "person_m", "person_n", "portrait")
                        for path in (shared / name).iterdir())  # fmt: skip
    else:
        clips, photos = sorted(DEMO.glob("*.mp4")), [MULTI]
    pool = Pool()
    longest = max(clips, key=lambda clip: probe(clip).n_frames_estimate or 0)
    for clip in clips:
        n_wanted = max(per_clip, most) if clip == longest else per_clip
        with tempfile.TemporaryDirectory() as folder:
            paths = _extracted(Path(folder), [clip])
            step = max(len(paths) / n_wanted, 1.0)
            chosen = [paths[int(k * step)] for k in range(min(len(paths), n_wanted))]
            for shot in _embedded(chosen, lambda _, who=clip.stem: who, n_wanted, photo=False):
                pool.shots[shot.person].append(shot)
    with tempfile.TemporaryDirectory() as folder:
        paths = _extracted(Path(folder), photos)
        for path in paths:
            for shot in _embedded([path], _person_of, per_photo, photo=True):
                pool.shots[shot.person].append(shot)
    return pool


def _extracted(root: Path, files: Sequence[Path]) -> list[Path]:
    (root / "workspace.toml").write_text('format_version = 1\nname = "bench"\n')
    frames = root / "data_src"
    frames.mkdir()
    for path in files:
        if path.suffix == ".mp4":
            shutil.copy(path, root / "data_src.mp4")
        else:
            shutil.copy(path, frames / f"{path.parent.name}_{path.name}")
    extract(Workspace.open(root), ExtractConfig(side=Side.SRC, size=256))
    return sorted((frames / "aligned").glob("*.jpg"))


def _person_of(name: str) -> str:
    if any(part in name for part in _SAME_AS_SPEAKER):
        return "speech_man"
    return "person_n" if any(part in name for part in _SAME_AS_N) else Path(name).stem


def _embedded(
    paths: Sequence[Path], person_of: Callable[[str], str], n_wanted: int, *, photo: bool
) -> Iterator[Shot]:
    """Vectors of all faces, and of varied ones until there are enough."""
    rounds = -(-n_wanted // len(paths))

    def work(face: FaceFile) -> list[Shot]:
        assert face.record is not None
        image, record = face.decode(), face.record
        mirrored = record.landmarks.copy()
        shots: list[Shot] = []
        for turn in range(rounds):
            shown = image if turn == 0 else CHANGES[turn % len(CHANGES)](image)
            vector = embed_face(shown, mirrored)
            spoilt = embed_face(spoil(image), mirrored) if turn == 0 else vector
            shots.append(Shot(person_of(face.path.name), vector, record, turn > 0, photo, spoilt))
        return shots

    found = list(for_each_face(paths, work, progress=Progress(), title="Embedding"))
    # First all faces as they are, then the varied ones.
    yield from [shots[turn] for turn in range(rounds) for shots in found][:n_wanted]


def mixed(
    pool: Pool, wanted: str, size: int, share: float, rng: np.random.Generator
) -> tuple[dict[str, Shot], np.ndarray]:
    """A faceset by file name, and a reference vector of the wanted person from outside of it."""
    own = [shot for shot in pool.shots[wanted] if not shot.photo]
    photos = [shot for shot in pool.shots[wanted] if shot.photo and not shot.varied]
    n_foreign = max(1, round(size * share))
    # The reference: a photograph of another day where there is one, else a frame left out.
    order = rng.permutation(len(own))
    reference = photos[0].vector if photos else own[order[0]].vector
    # The other photographs are in the set: own faces of another day must stay.
    chosen = [*photos[1:], *(own[i] for i in order[1:])][: size - n_foreign]
    others = [name for name in pool.shots if name != wanted]
    people = rng.choice(others, size=min(len(others), max(2, n_foreign // 3), 8), replace=False)
    foreign = [shot for person in people for shot in pool.shots[person]]
    chosen += [foreign[i] for i in rng.choice(len(foreign), min(n_foreign, len(foreign)), False)]
    return {f"{number:05d}.jpg": shot for number, shot in enumerate(chosen)}, reference


def judged(
    faces: dict[str, Shot],
    reference: np.ndarray | None,
    *,
    tracks: bool = False,
    bad: set[str] | None = None,
    threshold: float = 0.6,
) -> set[str]:
    """Names that `clean --identity` would propose."""
    vectors = {name: shot.spoilt if name in (bad or ()) else shot.vector
               for name, shot in faces.items()}  # fmt: skip
    found: dict[str, str] = {}
    if tracks:
        records = {
            name: _in_video(shot) for name, shot in faces.items() if not (shot.photo or shot.varied)
        }
        found = find_tracks(records, vectors)
    verdict = judge_identity(
        vectors,
        found,
        references=() if reference is None else (reference,),
        threshold=threshold,
    )
    return set(verdict.foreign)


def _in_video(shot: Shot) -> FaceRecord:
    """The record with its person's clip as the video, as after extraction from several videos."""
    own = dict(shot.record.provenance) | {"video": shot.person}
    return shot.record.replace(extra={**shot.record.extra, "dflcolab": own})


def foreign_in(faces: dict[str, Shot], wanted: str) -> set[str]:
    """The truth."""
    return {name for name, shot in faces.items() if shot.person != wanted}


def measure(pool: Pool, sizes: Sequence[int], repeats: int) -> None:
    """Precision and recall by size and share."""
    table = Table(
        "Foreign faces found",
        ["size", "foreign", "way", "sets", "not perfect", "precision", "recall"],
    )
    for size in sizes:
        for share in SHARES:
            for way in WAYS:
                tally = Tally()
                for wanted, seed in _cases(pool, size, share, repeats):
                    rng = np.random.default_rng(seed)
                    faces, reference = mixed(pool, wanted, size, share, rng)
                    proposed = judged(faces, reference if way == "picture" else None)
                    tally.add(proposed, foreign_in(faces, wanted), len(faces))
                if tally.sets:
                    table.add(size, f"{share:.0%}", way, tally.sets, tally.spoilt_sets,
                              f"{tally.precision:.4f}", f"{tally.recall:.4f}")  # fmt: skip
    print(f"{table}\n", flush=True)


def _cases(pool: Pool, size: int, share: float, repeats: int) -> Iterator[tuple[str, int]]:
    """Wanted people whose clip has enough faces for the size, and seeds."""
    for wanted in pool.wanted:
        n_own = sum(not shot.photo for shot in pool.shots[wanted])
        if n_own > size - max(1, round(size * share)):
            yield from ((wanted, seed) for seed in range(repeats))


def measure_tracks(pool: Pool, repeats: int) -> None:
    """The same with one frame in twenty spoilt, with and without tracks."""
    table = Table(
        f"100 faces, {SPOILT_SHARE:.0%} of the frames spoilt beyond recognition, by a picture",
        ["foreign", "tracks", "sets", "precision", "recall"],
    )
    for share in SHARES:
        for tracks in (False, True):
            tally = Tally()
            for wanted, seed in _cases(pool, 100, share, repeats):
                rng = np.random.default_rng(seed)
                faces, reference = mixed(pool, wanted, 100, share, rng)
                plain = [name for name, shot in faces.items() if not (shot.varied or shot.photo)]
                bad = set(rng.choice(plain, round(SPOILT_SHARE * len(plain)), replace=False))
                proposed = judged(faces, reference, tracks=tracks, bad=bad)
                tally.add(proposed, foreign_in(faces, wanted), len(faces))
            table.add(f"{share:.0%}", "yes" if tracks else "no", tally.sets,
                      f"{tally.precision:.4f}", f"{tally.recall:.4f}")  # fmt: skip
    print(f"{table}\n", flush=True)


def measure_threshold(pool: Pool, repeats: int) -> None:
    """What other limits would do, and which one is best if a person is left out."""
    limits = [round(0.44 + 0.04 * k, 2) for k in range(9)]
    by_person: dict[str, dict[float, Tally]] = {}
    for wanted in pool.wanted:
        by_person[wanted] = {limit: Tally() for limit in limits}
        for limit, tally in by_person[wanted].items():
            for size in (20, 100):
                for share in SHARES:
                    for seed in range(repeats):
                        rng = np.random.default_rng(seed)
                        faces, reference = mixed(pool, wanted, size, share, rng)
                        for given in (None, reference):
                            proposed = judged(faces, given, threshold=limit)
                            tally.add(proposed, foreign_in(faces, wanted), len(faces))
    table = Table(
        "Other limits: precision/recall at 20 and 100 faces, all shares, auto and picture",
        ["limit", *pool.wanted],
    )
    for limit in limits:
        cells = [by_person[name][limit] for name in pool.wanted]
        table.add(f"{limit:.2f}", *(f"{cell.precision:.3f}/{cell.recall:.3f}" for cell in cells))
    print(f"{table}\n", flush=True)
    print("The best limits without a person, and the middle one tried on that person:")
    for name in pool.wanted:
        errors = {
            limit: sum(by_person[other][limit].lost + by_person[other][limit].missed
                       for other in pool.wanted if other != name)
            for limit in limits
        }  # fmt: skip
        least = min(errors.values())
        best = [limit for limit in limits if errors[limit] == least]
        middle = best[len(best) // 2]
        cell = by_person[name][middle]
        print(f"  {name:16} {best[0]:.2f}..{best[-1]:.2f} -> {middle:.2f}: "
              f"{cell.precision:.3f}/{cell.recall:.3f}")  # fmt: skip


def print_margin(pool: Pool) -> None:
    """How alike own and foreign faces are to the middle of the wanted ones."""
    own: list[float] = []
    foreign: list[float] = []
    for wanted in pool.wanted:
        middle = np.mean([shot.vector for shot in pool.shots[wanted] if not shot.photo], axis=0)
        middle /= np.linalg.norm(middle)
        own += [float(shot.vector @ middle) for shot in pool.shots[wanted]]
        foreign += [float(shot.vector @ middle)
                    for person, shots in pool.shots.items() if person != wanted
                    for shot in shots]  # fmt: skip
    print(f"\nLikeness to the middle of a person: own faces (n = {len(own)}) "
          f"least {min(own):.2f}, 1 % below {np.percentile(own, 1):.2f}; "
          f"strangers (n = {len(foreign)}) 99 % below {np.percentile(foreign, 99):.2f}, "
          f"most {max(foreign):.2f}.")  # fmt: skip


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="up to 100 faces only")
    quick = parser.parse_args().quick
    print_machine()
    if not SHARED.is_dir():
        print(f"{SHARED} is not here: only the demo's two people and one photograph are mixed.")
    begin = time.perf_counter()
    pool = gather(per_clip=120 if quick else 480, most=0 if quick else SIZES[-1], per_photo=6)
    n_shots = sum(map(len, pool.shots.values()))
    print(f"{n_shots} faces of {len(pool.shots)} people, {len(pool.wanted)} of them in clips; "
          f"{time.perf_counter() - begin:.0f} s to extract and embed.\n")  # fmt: skip
    measure(pool, SIZES[:2] if quick else SIZES, repeats=2 if quick else 4)
    measure_tracks(pool, repeats=2 if quick else 4)
    measure_threshold(pool, repeats=1 if quick else 2)
    print_margin(pool)


if __name__ == "__main__":
    main()
