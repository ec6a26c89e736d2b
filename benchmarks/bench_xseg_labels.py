"""Do chosen labels teach more than random ones? XSeg trained on 20 labels, judged by masks drawn by hand.

For each seed some stretches of frames and photographs are held out; the other faces are the pool (see
`label_truth`). Three ways to take 20 of it: at random, twice over; by variety alone, as `mask next`
does without a network; and actively, as `mask next` does with one: 10 by variety, a network trained on
these, 10 more by what it is unsure of. Each set trains a network of its own from the same start, for the
same iterations, on views drawn with the same random numbers. A network trained on the whole pool shows
how much there is to win by choosing.

So that minutes on one core are enough, faces are 64 pixels large and the network has XSeg's first four
stages, narrow (`base`), with a larger rate that falls to a fifth for the last third. Views and loss
are those of `mask train`, the optimizer too but for its dropout. Networks start from weights that were taught the landmarks' hull on all
pictures, without any drawn outline.

    python -m benchmarks.bench_xseg_labels                      # drawn faces only
    python -m benchmarks.bench_xseg_labels --clips FOLDER       # with the frames between them
    python -m benchmarks.bench_xseg_labels --clips FOLDER --long speech_man.mp4 --draws 3
    python -m benchmarks.bench_xseg_labels --seeds 7 --start 4 --first 2 --iterations 3 --draws 1
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.label_truth import Bytes, Truth
from benchmarks.machine import Table, print_machine
from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.faceset.label_choice import choose_to_label, doubt
from dflcolab.losses.segmentation import mask_loss
from dflcolab.models.initial import initial_weights
from dflcolab.models.layers import Weights
from dflcolab.models.xseg.network import STAGES, XSeg
from dflcolab.optimizers.optimizer import Optimizer, OptimizerSettings
from dflcolab.training.augment import PADDING
from dflcolab.training.sampler import Sampler
from dflcolab.training.session import number_tensor
from dflcolab.xseg.augment import sample_masks
from dflcolab.xseg.mask_measures import intersection_over_union

SIDE = 64
LABELS = 20
FIRST_LABELS = 10
HELD_OUT = 0.3
_STAGES = STAGES[:4]  # 64 pixels to 4
_MASK, _HULL = 3, 4  # planes of `LabelledFace.pixels`
_FINE = 1 / 5  # of the rate, in the last third
_MEANS = ("", ", by stretch", ", occluded")
_INNER = slice(PADDING, -PADDING)


class Learner:
    """One network, started anew for every run so that its step is compiled once.

    Args:
        base: Width of the first layer.
        batch: Faces per step.
        rate: Learning rate.
    """

    def __init__(self, *, base: int, batch: int, rate: float) -> None:
        self._network, self._batch = XSeg(base, _STAGES), batch
        self.start = initial_weights(self._network.shapes(), seed=0)
        self._variables = {
            name: tf.Variable(tf.constant(value)) for name, value in self.start.items()
        }
        self._optimizer = Optimizer(self._variables, "rmsprop")
        self._steps = [
            tf.function(self._stepper(rate * share), autograph=False) for share in (1.0, _FINE)
        ]
        self._masks = tf.function(self._masked, autograph=False)

    def train(
        self, faces: Bytes, chosen: Sequence[int], *, plane: int, iterations: int, seed: int
    ) -> None:
        """From `start`, on some of the faces; the same seed draws the same views."""
        for name, value in self.start.items():
            self._variables[name].assign(value)
        self._optimizer.forget(self._variables)
        own, count = faces[np.array(chosen)][..., [0, 1, 2, plane]], self._batch
        order, others = (Sampler(len(own), [seed, part, 0]) for part in (0, 1))
        for i in range(iterations):
            batch, behind = (own[s.take(i * count, count)] for s in (order, others))
            late = 3 * i >= 2 * iterations
            self._steps[late](batch, behind, number_tensor(seed * 1_000_000 + i + 1))

    def keep(self) -> None:
        """Make the present weights the start of all later runs."""
        self.start = {name: variable.numpy() for name, variable in self._variables.items()}

    def masks(self, faces: Bytes) -> npt.NDArray[np.float32]:
        """Of faces as they are, `[N, SIDE, SIDE, 1]` in 0..1."""
        count = 4 * self._batch
        pictures = faces[:, _INNER, _INNER, :3]
        found = [
            self._masks(pictures[np.arange(start, start + count) % len(faces)]).numpy()
            for start in range(0, len(faces), count)
        ]
        return np.concatenate(found)[: len(faces)]

    def doubts(self, faces: Bytes) -> npt.NDArray[np.float64]:
        """How unsure it is of each face."""
        there, mirrored = self.masks(faces), self.masks(faces[:, :, ::-1])[:, :, ::-1]
        return np.array([doubt(*pair) for pair in zip(there, mirrored, strict=True)])

    def _stepper(self, rate: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        settings = OptimizerSettings(kind="rmsprop", learning_rate=rate)

        def step(faces: Tensor, others: Tensor, iteration: Tensor) -> Tensor:
            views = sample_masks(faces, others, tf.stack([tf.constant(0, tf.int64), iteration]))
            with tf.GradientTape() as tape:
                logits = self._network(Weights(self._variables, tf.float32), views.pictures)
                loss = tf.reduce_mean(mask_loss(views.masks, logits))
            names = list(self._variables)
            found = tape.gradient(loss, [self._variables[name] for name in names])
            self._optimizer.apply(dict(zip(names, found, strict=True)), settings)
            return loss

        return step

    def _masked(self, pictures: Tensor) -> Tensor:
        values = tf.cast(pictures, tf.float32) / 255
        return tf.sigmoid(self._network(Weights(self._variables, tf.float32), values))


def by_choice(
    truth: Truth,
    pool: Sequence[int],
    known: Sequence[int],
    doubts: npt.ArrayLike | None,
    count: int,
) -> list[int]:
    """As `mask next` does among the pool."""
    looks = [truth.faces[i].look for i in pool]
    places = [pool.index(i) for i in known]
    return [pool[c.face] for c in choose_to_label(looks, places, count, doubts=doubts)]


def scores(learner: Learner, truth: Truth, held: Sequence[int]) -> npt.NDArray[np.float64]:
    """IoU of each held-out face."""
    faces = truth.pixels[np.array(held)]
    return np.array(
        [
            intersection_over_union(mask[..., 0] > 0.5, face[_INNER, _INNER, _MASK] > 127)
            for mask, face in zip(learner.masks(faces), faces, strict=True)
        ]
    )


def chosen_sets(
    learner: Learner, truth: Truth, pool: list[int], seed: int, *, draws: int, first: int
) -> dict[str, list[list[int]]]:
    """The sets of labels of each way; several of the random one."""
    generator = np.random.default_rng((seed, 18))
    variety = by_choice(truth, pool, (), None, LABELS)
    begun = variety[:FIRST_LABELS]
    learner.train(truth.pixels, begun, plane=_MASK, iterations=first, seed=seed)
    doubts = learner.doubts(truth.pixels[np.array(pool)])
    more = by_choice(truth, pool, begun, doubts, LABELS - FIRST_LABELS)
    return {
        "random": [generator.choice(pool, LABELS, replace=False).tolist() for _ in range(draws)],
        "variety": [variety],
        "active": [begun + more],
        "all": [pool],
    }


def means_of(truth: Truth, held: Sequence[int], found: npt.NDArray[np.float64]) -> list[float]:
    """Over all held-out faces; over stretches and photographs, each counted once; over occluded faces."""
    occluded = truth.occluded[np.array(held)]
    groups = truth.groups[np.array(held)]
    by_group = [found[groups == group].mean() for group in np.unique(groups)]
    return [
        float(found.mean()),
        float(np.mean(by_group)),
        float(found[occluded].mean()) if occluded.any() else np.nan,
    ]


def main() -> None:
    """Train for every seed and print a table."""
    parser = argparse.ArgumentParser(description="Chosen labels against random ones.")
    parser.add_argument("--clips", type=Path, help="a workspace per clip, as `extract` leaves it")
    parser.add_argument("--long", default="", help="the clip that has all of its frames")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(11, 19)))
    parser.add_argument("--draws", type=int, default=2, help="random sets per seed")
    parser.add_argument("--base", type=int, default=4)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--start", type=int, default=300, help="iterations on the hulls")
    parser.add_argument("--first", type=int, default=60, help="iterations on ten labels")
    parser.add_argument("--iterations", type=int, default=120, help="iterations on twenty labels")
    given = parser.parse_args()
    print_machine()
    truth = Truth(SIDE, given.clips, given.long)
    learner = Learner(base=given.base, batch=given.batch, rate=given.rate)
    drawn = range(truth.n_drawn)
    learner.train(truth.pixels, drawn, plane=_HULL, iterations=given.start, seed=999)
    learner.keep()
    ways = ("random", "variety", "active", "all")
    table = Table(
        f"Held-out IoU with {LABELS} labels of {len(truth.faces)} faces",
        ["seed", "pool", "held out (occluded)", *(f"{w}{kind}" for kind in _MEANS for w in ways)],
    )
    rows: list[npt.NDArray[np.float64]] = []
    for seed in given.seeds:
        began = time.process_time()
        pool, held = truth.split(seed, HELD_OUT)
        sets = chosen_sets(learner, truth, pool, seed, draws=given.draws, first=given.first)
        row: list[npt.NDArray[np.float64]] = []
        for way in ways:
            found: list[list[float]] = []
            for chosen in sets[way]:
                learner.train(
                    truth.pixels, chosen, plane=_MASK, iterations=given.iterations, seed=seed
                )
                found.append(means_of(truth, held, scores(learner, truth, held)))
            row.append(np.mean(found, axis=0))
        rows.append(np.array(row).T)
        count = f"{len(held)} ({int(truth.occluded[np.array(held)].sum())})"
        table.add(seed, len(pool), count, *(f"{value:.3f}" for value in rows[-1].ravel()))
        occluded = {w: [int(truth.occluded[c].sum()) for c in sets[w]] for w in ways}
        seconds = time.process_time() - began
        print(
            f"seed {seed}: {rows[-1].round(4).tolist()}, occluded labels {occluded} ({seconds:.0f} s CPU)",
            flush=True,
        )
    values = np.stack(rows)
    table.add("mean", "", "", *(f"{value:.3f}" for value in np.nanmean(values, axis=0).ravel()))
    table.print()
    for kind, part in zip(_MEANS, values.swapaxes(0, 1), strict=True):
        for place, way in enumerate(ways[1:], 1):
            gains = part[:, place] - part[:, 0]
            gains = gains[np.isfinite(gains)]
            error = np.std(gains, ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else np.nan
            print(
                f"{way} less random{kind}: {gains.mean():+.4f} ± {error:.4f} "
                f"(standard error over {len(gains)} seeds)"
            )


if __name__ == "__main__":
    main()
