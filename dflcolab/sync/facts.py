# pyright: strict
"""Small files of facts that may be lost without harm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast


def read_facts(path: Path) -> dict[str, Any]:
    """The JSON object in a file; {} where it is missing, damaged or something else."""
    try:
        found: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return cast(dict[str, Any], found) if isinstance(found, dict) else {}
