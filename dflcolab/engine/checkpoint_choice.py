# pyright: strict
"""What `--checkpoint` takes; light, since the command line builds its help from it."""

from __future__ import annotations

from typing import Literal

CheckpointChoice = int | Literal["latest", "best"]
"""`latest`, `best` (the lowest held-out score), or the number of finished iterations."""
