"""Training steps on fixed batches: milliseconds, peak memory, and the share of the machine's rate.

The cases are those of the architecture's table: (a) SAEHD liae-ud 128, (b) SAEHD df 96, (c)
Quick96, and AMP 128 (of which DeepFaceLab's figures are not known), each in float32 and in bfloat16 where the processor has it. `fixed` leaves augmentation out (as the figures
known for DeepFaceLab do), `whole` is the step as `train` runs it.

    python -m benchmarks.bench_step            # all cases, each in a process of its own
    python -m benchmarks.bench_step a float32  # one of them
"""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np

from benchmarks.machine import Table, convolution_rate, describe_machine, peak_memory_mb, timed

CASES = {
    "a": {"resolution": 128, "archi": "liae-ud", "ae_dims": 256, "e_dims": 64, "d_dims": 64,
          "d_mask_dims": 22, "batch_size": 4},
    "b": {"resolution": 96, "archi": "df", "ae_dims": 128, "e_dims": 32, "d_dims": 32,
          "d_mask_dims": 16, "batch_size": 8},
    "c": {"arch": "quick96", "batch_size": 4},
    "amp": {"arch": "amp", "resolution": 128, "ae_dims": 192, "inter_dims": 512, "e_dims": 32,
            "d_dims": 32, "d_mask_dims": 16, "batch_size": 4},
}  # fmt: skip
GFLOP_PER_STEP = {"a": 433.0, "b": 395.0}
"""Multiplications and additions of a step's convolutions and products, times two."""

DFL = {"a": (1765.0, 413.0, 3326.0), "b": (1125.0, 413.0, 1601.0), "c": (775.0, 413.0, 1803.0)}
"""DeepFaceLab in float32: ms per step, the convolution rate beside it, peak MB."""


def measure(case: str, dtype: str) -> dict[str, float]:
    """Time one case in this process."""
    from dflcolab.backend import tf
    from dflcolab.engine.precision import prepare_device
    from dflcolab.models.kinds import swap_options_of
    from dflcolab.training.augment import PADDING, Sampled, sample_batch
    from dflcolab.training.model_state import ModelState
    from dflcolab.training.step import TrainingStep

    rate = convolution_rate(dtype)
    prepare_device()
    values = {"arch": "saehd", **CASES[case]}
    options = swap_options_of(values.pop("arch"), values)
    precision = {"float32": "float32", "bfloat16": "mixed_bfloat16"}[dtype]
    step = TrainingStep(options, ModelState(options, seed=0), precision=precision)
    generator = np.random.default_rng(0)
    size, count = options.resolution, options.batch_size

    def batch() -> Sampled:
        values = generator.random((4, count, size, size, 3), dtype=np.float32)
        picture, target, mask, eyes = (tf.constant(value) for value in values)
        return Sampled(picture, target, tf.round(mask[..., :1]), eyes[..., :1])

    @tf.function(autograph=False)
    def sample(faces: tf.Tensor, seed: tf.Tensor) -> Sampled:
        return sample_batch(faces, seed, random_warp=True, flip=True)

    src, dst = batch(), batch()
    fixed = timed(
        lambda: [loss.numpy() for loss in step.fixed_step(src, dst)],
        warmup=3, repeats=7, at_least_s=8,
    )  # fmt: skip
    peak = peak_memory_mb()
    padded = size + 2 * PADDING
    faces = generator.integers(0, 256, (2, count, padded, padded, 5), dtype=np.uint8)
    at = tf.constant(1, tf.int64)
    whole = timed(
        lambda: step.step(faces[0], faces[1], at).numpy(), warmup=3, repeats=7, at_least_s=8
    )
    sampler = timed(
        lambda: sample(faces[0], tf.constant([0, 1], tf.int64)), warmup=2, repeats=5, at_least_s=2
    )
    many = generator.integers(0, 256, (64, padded, padded, 5), dtype=np.uint8)
    fetch = timed(lambda: [many[generator.integers(0, 64, count)] for _ in range(2)], at_least_s=1)
    return {
        "samples_per_s": count / sampler.best_wall_s,
        "wait_share": fetch.wall_s / whole.wall_s,
        "rate": rate,
        "rate_after": convolution_rate(dtype),
        "fixed_ms": fixed.best_wall_s * 1e3,
        "fixed_median_ms": fixed.wall_s * 1e3,
        "fixed_cpu_ms": fixed.cpu_s * 1e3,
        "whole_ms": whole.best_wall_s * 1e3,
        "whole_cpu_ms": whole.cpu_s * 1e3,
        "peak_mb": peak,
    }


def main() -> None:
    """Measure the wanted cases and print one table."""
    words = sys.argv[1:]
    if len(words) == 3 and words[2] == "--child":
        print(json.dumps(measure(words[0], words[1])))
        return
    cases = [words[0]] if words else list(CASES)
    dtypes = [words[1]] if len(words) > 1 else ["float32", "bfloat16"]
    for name, text in describe_machine().items():
        print(f"{name}: {text}")
    table = Table(
        "Training steps, two sides; samples and waiting on made-up faces in memory",
        ["case", "precision", "conv rate GFLOP/s", "fixed ms", "median", "cpu ms", "whole ms",
         "whole cpu ms", "share of rate", "times DFL", "peak MB", "DFL MB",
         "samples/s", "waiting"],
    )  # fmt: skip
    for case in cases:
        for dtype in dtypes:
            found = _in_own_process(case, dtype)
            rate = max(found["rate"], found["rate_after"])
            dfl_ms, dfl_rate, dfl_mb = DFL.get(case, (float("nan"), 413.0, float("nan")))
            # DeepFaceLab's float32 time on a machine as fast as this one is now.
            float32_rate = rate if dtype == "float32" else rate * dfl_rate / 812
            expected_ms = dfl_ms * dfl_rate / float32_rate
            table.add(
                case, dtype, rate, found["fixed_ms"], found["fixed_median_ms"],
                found["fixed_cpu_ms"], found["whole_ms"], found["whole_cpu_ms"],
                f"{GFLOP_PER_STEP[case] / found['fixed_ms'] * 1e3 / rate:.0%}"
                if case in GFLOP_PER_STEP else "-",
                expected_ms / found["fixed_ms"], found["peak_mb"], dfl_mb,
                found["samples_per_s"], f"{found['wait_share']:.1%}",
            )  # fmt: skip
    table.print()


def _in_own_process(case: str, dtype: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.bench_step", case, dtype, "--child"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
