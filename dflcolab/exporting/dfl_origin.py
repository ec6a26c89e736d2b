# pyright: strict
"""What an imported model brought that only DeepFaceLab understands; kept for the way back.

`deepfacelab.json` lies beside the checkpoints of the model and does not change while it trains.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dflcolab.files import write_text

FILE_NAME = "deepfacelab.json"
_VERSION = 1


@dataclass(frozen=True)
class Origin:
    """Where a model comes from.

    Attributes:
        id: What its files were called (`new_SAEHD`).
        options: All options of its `data.dat`, known here or not.
        other: Further keys of that file.
    """

    id: str
    options: Mapping[str, Any]
    other: Mapping[str, Any]


def write_origin(model_dir: Path, origin: Origin) -> None:
    """Keep it beside the checkpoints; atomic."""
    content = {
        "version": _VERSION,
        "id": origin.id,
        "options": dict(origin.options),
        "other": dict(origin.other),
    }
    write_text(model_dir / FILE_NAME, json.dumps(content, indent=1))


def read_origin(model_dir: Path) -> Origin | None:
    """What was kept; None for a model that was made here, or when the file is unreadable."""
    try:
        content: Any = json.loads((model_dir / FILE_NAME).read_text(encoding="utf-8"))
        options, other = content["options"], content["other"]
        if not isinstance(options, dict) or not isinstance(other, dict):
            return None
        return Origin(
            str(content["id"]), cast(dict[str, Any], options), cast(dict[str, Any], other)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
