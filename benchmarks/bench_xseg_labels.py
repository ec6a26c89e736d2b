"""Do chosen labels teach more than random ones? XSeg trained on 20 labels of the faces drawn by hand.

For each seed some stretches of frames and photographs are held out; the other faces are the pool. Three
ways to take 20 of them: at random; by variety alone, as `mask next` does without a network; and actively,
as `mask next` does with one: 10 by variety, a network trained on these, 10 more by what it is unsure of.
Each way then trains a network of its own from the same start, for the same iterations, on views drawn
with the same random numbers.

So that minutes on one core are enough, the network is narrow (`base`), learns with a larger rate, and
starts from weights that were taught the landmarks' hull on all pictures, without any drawn outline.

    python -m benchmarks.bench_xseg_labels
    python -m benchmarks.bench_xseg_labels --seeds 7 --start 4 --first 2 --iterations 2
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.machine import Table, describe_machine
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.polygons import polygon_mask
from dflcolab.faceset.faceset import Faceset, load_faceset
from dflcolab.faceset.label_choice import LabelLook, choose_to_label, doubt, label_look
from dflcolab.faceset.label_guess import hull_guess
from dflcolab.models.xseg.options import xseg_options
from dflcolab.progress import Progress
from dflcolab.training.augment import PADDING
from dflcolab.training.model_state import ModelState
from dflcolab.training.sampler import Sampler
from dflcolab.training.session import number_tensor
from dflcolab.xseg.dataset import prepare_mask_faces
from dflcolab.xseg.mask_measures import cut, intersection_over_union
from dflcolab.xseg.step import MaskStep

FACES = Path(__file__).parents[1] / "tests" / "data" / "masks"
LABELS = 20
FIRST_LABELS = 10
HELD_OUT = 0.3
_CELL = 50  # frames of a stretch
_MEANS = ("", ", by stretch", ", occluded")

Bytes = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Truth:
    """The faces drawn by hand.

    Attributes:
        drawn: `[N, R + 6, R + 6, 4]`, picture and drawn mask as the step takes them.
        hull: The same with the landmarks' hull as mask.
        looks: What `mask next` compares.
        groups: Stretch of frames or photograph of each face.
        occluded: Whether something is in front of it.
    """

    drawn: Bytes
    hull: Bytes
    looks: list[LabelLook]
    groups: list[str]
    occluded: npt.NDArray[np.bool_]


def load_truth() -> Truth:
    """Decode all faces once."""
    faceset = load_faceset(FACES)
    index: dict[str, Any] = {e["name"]: e for e in json.loads((FACES / "index.json").read_text())}
    rows = [index[name] for name in faceset.names]
    drawn = _prepared(faceset)
    hull = drawn.copy()
    inner = slice(PADDING, -PADDING)
    for place, face in enumerate(faceset.faces):
        outline = hull_guess(face.record, face.height, face.width)
        hull[place, inner, inner, 3] = 255 * polygon_mask(outline, face.height, face.width)[..., 0]
    return Truth(
        drawn,
        hull,
        [label_look(face.decode(), face.record) for face in faceset.faces],
        [
            row["source"] if row["frame"] is None else f"{row['source']}:{row['frame'] // _CELL}"
            for row in rows
        ],
        np.array([bool(row["occluded"]) for row in rows]),
    )


def _prepared(faceset: Faceset) -> Bytes:
    return prepare_mask_faces(
        faceset,
        range(len(faceset)),
        face_type=FaceType.WHOLE,
        resolution=256,
        title="Loading faces",
        progress=Progress(),
        problems=[],
    ).faces


class Learner:
    """One network, started anew for every run so that its step is compiled once.

    Args:
        base: Width of the first layer.
        batch: Faces per step.
        rate: Learning rate.
    """

    def __init__(self, *, base: int, batch: int, rate: float) -> None:
        values = {"base": base, "batch_size": batch, "learning_rate": rate}
        self._options = xseg_options({**values, "face_type": "whole_face"})
        self._state = ModelState(self._options, seed=0)
        self._step = MaskStep(self._options, self._state, precision="float32", seed=0)
        self.start = self._state.weights()

    def train(self, faces: Bytes, chosen: Sequence[int], *, iterations: int, seed: int) -> None:
        """From `start`, on some of the faces; the same seed draws the same views."""
        for name, value in self.start.items():
            self._state.variables[name].assign(value)
        for optimizer in self._state.optimizers.values():
            optimizer.forget(self._state.groups[0].slotted)
        own, count = faces[np.array(chosen)], self._options.batch_size
        order, others = (Sampler(len(own), [seed, part, 0]) for part in (0, 1))
        for i in range(iterations):
            batch, behind = (own[s.take(i * count, count)] for s in (order, others))
            self._step.step(batch, behind, number_tensor(seed * 1_000_000 + i + 1))

    def keep(self) -> None:
        """Make the present weights the start of all later runs."""
        self.start = self._state.weights()

    def masks(self, faces: Bytes) -> npt.NDArray[np.float32]:
        """Of faces as they are, `[N, 256, 256, 1]` in 0..1."""
        count, inner = self._options.batch_size, slice(PADDING, -PADDING)
        found: list[npt.NDArray[np.float32]] = []
        for start in range(0, len(faces), count):
            places = np.arange(start, start + count) % len(faces)
            found.append(self._step.compare(faces[places][:, inner, inner])[0].numpy())
        return np.concatenate(found)[: len(faces)]

    def doubts(self, faces: Bytes) -> npt.NDArray[np.float64]:
        """How unsure it is of each face."""
        there, mirrored = self.masks(faces), self.masks(faces[:, :, ::-1])[:, :, ::-1]
        return np.array([doubt(*pair) for pair in zip(there, mirrored, strict=True)])


def split(truth: Truth, seed: int) -> tuple[list[int], list[int]]:
    """The pool, and the held-out faces: whole stretches and photographs, about `HELD_OUT` of all."""
    generator = np.random.default_rng((seed, 17))
    wanted = round(HELD_OUT * len(truth.groups))
    held: list[int] = []
    for group in generator.permutation(sorted(set(truth.groups))).tolist():
        if len(held) < wanted:
            held += [i for i, own in enumerate(truth.groups) if own == group]
    return [i for i in range(len(truth.groups)) if i not in set(held)], held


def by_choice(
    truth: Truth,
    pool: Sequence[int],
    known: Sequence[int],
    doubts: npt.ArrayLike | None,
    count: int,
) -> list[int]:
    """As `mask next` does among the pool."""
    looks = [truth.looks[i] for i in pool]
    places = [pool.index(i) for i in known]
    return [pool[c.face] for c in choose_to_label(looks, places, count, doubts=doubts)]


def scores(learner: Learner, truth: Truth, held: Sequence[int]) -> npt.NDArray[np.float64]:
    """IoU of each held-out face."""
    inner = slice(PADDING, -PADDING)
    faces = truth.drawn[np.array(held)]
    return np.array(
        [
            intersection_over_union(cut(mask), face[inner, inner, 3] > 127)
            for mask, face in zip(learner.masks(faces), faces, strict=True)
        ]
    )


def one_seed(
    learner: Learner, truth: Truth, seed: int, *, first: int, iterations: int
) -> tuple[list[int], dict[str, npt.NDArray[np.float64]]]:
    """The held-out faces, and the IoU of each by the way the labels were chosen."""
    pool, held = split(truth, seed)
    drawn = np.random.default_rng((seed, 18)).choice(pool, LABELS, replace=False)
    variety = by_choice(truth, pool, (), None, LABELS)
    learner.train(truth.drawn, variety[:FIRST_LABELS], iterations=first, seed=seed)
    doubts = learner.doubts(truth.drawn[np.array(pool)])
    begun = variety[:FIRST_LABELS]
    active = begun + by_choice(truth, pool, begun, doubts, LABELS - FIRST_LABELS)
    found: dict[str, npt.NDArray[np.float64]] = {}
    for name, chosen in (("random", drawn.tolist()), ("variety", variety), ("active", active)):
        learner.train(truth.drawn, chosen, iterations=iterations, seed=seed)
        found[name] = scores(learner, truth, held)
    return held, found


def means_of(truth: Truth, held: Sequence[int], found: npt.NDArray[np.float64]) -> list[float]:
    """Over all held-out faces; over stretches and photographs, each counted once; over occluded faces."""
    occluded = truth.occluded[np.array(held)]
    groups = np.array([truth.groups[i] for i in held])
    by_group = [found[groups == group].mean() for group in np.unique(groups)]
    return [
        float(found.mean()),
        float(np.mean(by_group)),
        float(found[occluded].mean()) if occluded.any() else np.nan,
    ]


def main() -> None:
    """Train for every seed and print a table."""
    parser = argparse.ArgumentParser(description="Chosen labels against random ones.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--base", type=int, default=4)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--start", type=int, default=200, help="iterations on the hulls")
    parser.add_argument("--first", type=int, default=80, help="iterations on ten labels")
    parser.add_argument("--iterations", type=int, default=100, help="iterations on twenty labels")
    given = parser.parse_args()
    for name, text in describe_machine().items():
        print(f"{name}: {text}")
    truth = load_truth()
    learner = Learner(base=given.base, batch=given.batch, rate=given.rate)
    everything = list(range(len(truth.groups)))
    learner.train(truth.hull, everything, iterations=given.start, seed=999)
    learner.keep()
    ways = ("random", "variety", "active")
    table = Table(
        f"Held-out IoU with {LABELS} labels of {len(everything)} drawn faces",
        ["seed", "held out (occluded)", *(f"{way}{kind}" for kind in _MEANS for way in ways)],
    )
    rows: list[npt.NDArray[np.float64]] = []
    for seed in given.seeds:
        began = time.process_time()
        held, found = one_seed(learner, truth, seed, first=given.first, iterations=given.iterations)
        row = np.array([means_of(truth, held, found[way]) for way in ways]).T
        rows.append(row)
        count = f"{len(held)} ({int(truth.occluded[np.array(held)].sum())})"
        table.add(seed, count, *(f"{value:.3f}" for value in row.ravel()))
        seconds = time.process_time() - began
        print(f"seed {seed}: {row.round(4).tolist()} ({seconds:.0f} s CPU)", flush=True)
    values = np.stack(rows)
    table.add("mean", "", *(f"{value:.3f}" for value in np.nanmean(values, axis=0).ravel()))
    table.print()
    for kind, part in zip(_MEANS, values.swapaxes(0, 1), strict=True):
        for place, way in enumerate(ways[1:], 1):
            gains = part[:, place] - part[:, 0]
            error = np.nanstd(gains, ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else np.nan
            print(
                f"{way} less random{kind}: {np.nanmean(gains):+.4f} ± {error:.4f} (standard error over seeds)"
            )


if __name__ == "__main__":
    main()
