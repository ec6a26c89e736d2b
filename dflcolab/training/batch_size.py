"""Which batch suits this machine, by steps that were measured."""

from __future__ import annotations

from dflcolab.backend import tf
from dflcolab.training.trial import Cost, Trial

_MEMORY_SHARE = 0.8
_WORTHWHILE = 0.95
_MOST_BY_RESOLUTION = ((160, 32), (256, 16))


def largest_batch(resolution: int, preset: int, *, on_gpu: bool) -> int:
    """Up to where batches are tried: the preset's on CPUs; on GPUs also what their size allows."""
    if not on_gpu:
        return preset
    most = next((n for limit, n in _MOST_BY_RESOLUTION if resolution <= limit), 8)
    return max(preset, most)


def choose_batch(trial: Trial, largest: int, limit: int | None) -> tuple[int, str]:
    """The batch with the most faces per second that memory has room for.

    Batches of 1, 2, 4 … are tried. A larger one is left out where the two before it tell that it
    would exceed four fifths of the memory, and where it is no faster per face.

    Args:
        trial: Measures a batch.
        largest: No batch above it is tried.
        limit: Bytes that may be used; None = the device says when it is full.

    Returns:
        Faces per side, and a sentence for the user.

    Raises:
        tf.errors.ResourceExhaustedError: A single face does not fit.
    """
    sizes = [2**i for i in range(largest.bit_length()) if 2**i <= largest]
    costs: dict[int, Cost] = {}
    ending = "the largest that was tried"
    for size in sizes:
        if limit is not None and _expected(costs, size) > _MEMORY_SHARE * limit:
            ending = "a larger one would need too much memory"
            break
        try:
            costs[size] = trial(size)
        except tf.errors.ResourceExhaustedError:
            if not costs:
                raise
            ending = "a larger one does not fit into memory"
            break
    rates = {size: size / cost.seconds for size, cost in costs.items()}
    best = min(size for size, rate in rates.items() if rate >= _WORTHWHILE * max(rates.values()))
    if best < max(costs):
        ending = "larger ones are no faster per face"
    return best, (
        f"Batch {best} was measured: {rates[best]:.1f} faces per second and side, "
        f"{costs[best].peak_bytes / 1e9:.1f} GB of memory; {ending}."
    )


def _expected(costs: dict[int, Cost], size: int) -> float:
    """Peak memory of a batch, by the two before it; nothing is known of the first two."""
    if len(costs) < 2:
        return 0.0
    (small, less), (large, more) = list(costs.items())[-2:]
    per_face = max(0, more.peak_bytes - less.peak_bytes) / (large - small)
    return more.peak_bytes + per_face * (size - large)
