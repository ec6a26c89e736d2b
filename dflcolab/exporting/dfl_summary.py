# pyright: strict
"""The text that DeepFaceLab writes beside a model, for people: name, iteration, options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def summary_text(model_id: str, iteration: int, options: Mapping[str, Any]) -> str:
    """A box of `=` signs with one line per fact, as DeepFaceLab draws it."""
    facts = {"Model name": model_id, "Current iteration": str(iteration)}
    rows = {name: str(value) for name, value in options.items()}
    device = {"Using device": "dflcolab"}
    names = max(len(name) for name in [*facts, *rows, *device])
    values = max(len(value) for value in [*facts.values(), *rows.values(), *device.values()]) + 1
    width = names + values + 3  # between the signs at both ends

    def title(text: str, sign: str) -> str:
        return f"=={f' {text} ':{sign}^{width}}=="

    def row(name: str, value: str) -> str:
        return f"== {name:>{names}}: {value:<{values}}=="

    blank = f"=={' ' * width}=="
    lines = [title("Model Summary", "="), blank]
    for name, value in facts.items():
        lines += [row(name, value), blank]
    lines += [title("Model Options", "-"), blank]
    lines += [row(name, value) for name, value in rows.items()]
    lines += [blank, title("Running On", "-"), blank]
    lines += [row(name, value) for name, value in device.items()]
    lines += [blank, "=" * (width + 4)]
    return "\n".join(lines)
