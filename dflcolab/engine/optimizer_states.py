"""The states of a model's optimizers in one file of a checkpoint.

A model with discriminators has several optimizers, each with an `iters:0`. The first one's keys
stand as they are; those of the others carry the name of DeepFaceLab's file before them:
`GAN_opt/iters:0`, `GAN_opt/ms_D_src/in_conv/weight_0:0`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dflcolab.arrays import Array


def join_states(states: Mapping[str, Mapping[str, Array]]) -> dict[str, Array]:
    """One dictionary of the states of all optimizers.

    Args:
        states: Name of the optimizer's file (`src_dst_opt`) to its state; the main one first.
    """
    found: dict[str, Array] = {}
    for index, (name, state) in enumerate(states.items()):
        prefix = "" if index == 0 else f"{name}/"
        found |= {f"{prefix}{key}": value for key, value in state.items()}
    return found


def split_states(
    joined: Mapping[str, Array], optimizers: Sequence[str]
) -> dict[str, dict[str, Array]]:
    """The way back of `join_states`; an optimizer that has no state is left out.

    Args:
        joined: What a checkpoint holds.
        optimizers: Names of the optimizers' files; the main one first.
    """
    found: dict[str, dict[str, Array]] = {}
    taken: set[str] = set()
    for name in optimizers[1:]:
        prefix = f"{name}/"
        keys = [key for key in joined if key.startswith(prefix)]
        if keys:
            found[name] = {key.removeprefix(prefix): joined[key] for key in keys}
        taken.update(keys)
    # Further optimizers that are switched off at present have a slash before `iters:0` as well.
    others = {key.removesuffix("iters:0") for key in joined if key.endswith("/iters:0")}
    main = {
        key: value
        for key, value in joined.items()
        if key not in taken and not key.startswith(tuple(others))
    }
    return {optimizers[0]: main, **found}
