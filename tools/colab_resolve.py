"""Resolves dflcolab's requirements beside the packages of Colab's runtimes; asks the package index.

    .venv/bin/python tools/colab_resolve.py LIST PYTHON [LIST PYTHON ...]

LIST is a runtime's `pip freeze`, as Google publishes it in the repository googlecolab/backend-info, PYTHON its
version, such as 3.12. Each of Colab's versions is a constraint, so a result means that none of them has
to change. Needs `uv` (`pip install uv`).
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PINNED = re.compile(r"([A-Za-z0-9_.-]+)==(\S+)")


def pins(text: str) -> dict[str, str]:
    """Versions by the index's spelling of the name."""
    found = (PINNED.match(line) for line in text.splitlines())
    return {re.sub(r"[-_.]+", "-", m[1]).lower(): m[2] for m in found if m is not None}


def resolve(python: str, packages: Mapping[str, str]) -> dict[str, str]:
    """All packages that an installation would hold."""
    with tempfile.TemporaryDirectory() as folder:
        fixed = Path(folder) / "constraints.txt"
        fixed.write_text("".join(f"{name}=={version}\n" for name, version in packages.items()))
        done = subprocess.run(
            ["uv", "pip", "compile", ROOT / "pyproject.toml", "--python-version", python,
             "--python-platform", "x86_64-manylinux_2_35", "-c", fixed, "--no-annotate", "--no-header", "-q"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
    return pins(done.stdout)


def main() -> None:
    """Print for each runtime what would be added; end with an error where none fits."""
    for path, python in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        packages = pins(Path(path).read_text(encoding="utf-8"))
        try:
            found = resolve(python, packages)
        except subprocess.CalledProcessError as error:
            sys.exit(f"{path}: {error.stderr}")
        new = [
            f"{package} {version}" for package, version in found.items() if package not in packages
        ]
        sys.stdout.write(f"{path}, Python {python}: nothing changes; new: {', '.join(new)}\n")


if __name__ == "__main__":
    main()
