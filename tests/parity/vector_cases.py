"""Where the golden vectors of DeepFaceLab are, and which cases they hold.

Every parity test gets its cases from here, at collection time and by file-name pattern or by the
entries inside a JSON file. So a folder with other cases of the same kinds, named by the environment
variable `DFLCOLAB_VECTORS`, runs through the same tests unchanged.

Layout inside the folder: `imaging/<group>/...` and `models/...`.

Example:
    @pytest.mark.parametrize("path", file_params("models", "archi_*.npz"))
    def test_architecture(path): ...

    @pytest.mark.parametrize("case", entry_params("imaging", "pose", "pose*.json"))
    def test_pose(case): ...      # case.key, case.value, case.file, case.folder
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "DFLCOLAB_VECTORS"


@dataclass(frozen=True)
class Entry:
    """One entry of a JSON vector file: its key or index, its value, and the file it stands in."""

    key: str
    value: Any
    file: Path

    @property
    def folder(self) -> Path:
        return self.file.parent


def vectors_root() -> Path:
    """The folder with the vectors: `DFLCOLAB_VECTORS`, or the ones shipped with the tests."""
    return Path(os.environ.get(VARIABLE) or Path(__file__).parents[1] / "data" / "vectors")


def vector_files(*parts: str) -> list[Path]:
    """Files that match a pattern, sorted; the last of `parts` is the pattern, the rest folders."""
    return sorted(vectors_root().joinpath(*parts[:-1]).glob(parts[-1]))


def load_json(path: Path) -> Any:
    """The content of a JSON vector file."""
    return json.loads(path.read_text(encoding="utf-8"))


def file_params(*parts: str) -> list[Any]:
    """Parameters for `parametrize`: one path per matching file, named after the file."""
    return _or_nothing([pytest.param(path, id=path.name) for path in vector_files(*parts)], parts)


def entry_params(
    *parts: str,
    section: str | None = None,
    name: Callable[[str, Any], str] | None = None,
    keep: Callable[[str, Any], bool] | None = None,
) -> list[Any]:
    """Parameters for `parametrize`: one `Entry` per entry of every matching JSON file.

    Args:
        parts: Folders and a file-name pattern.
        section: Key of the object or list that holds the entries; None: the whole file.
        name: Test name of an entry, from key and value; None: the key.
        keep: Which entries are cases; None: all.
    """
    found: list[Any] = []
    for path in vector_files(*parts):
        content = load_json(path)
        if section is not None:
            content = content.get(section, {})
        for key, value in _items(content):
            if keep is None or keep(key, value):
                label = key if name is None else name(key, value)
                found.append(pytest.param(Entry(key, value, path), id=f"{path.stem}-{label}"))
    return _or_nothing(found, (*parts, section or ""))


def _items(content: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(content, dict):
        return content.items()
    return ((str(i), value) for i, value in enumerate(content))


def _or_nothing(found: list[Any], parts: tuple[str, ...]) -> list[Any]:
    """Say loudly when a pattern finds nothing, instead of passing with no case."""
    if found:
        return found
    where = "/".join(part for part in parts if part)
    if not os.environ.get(VARIABLE):
        raise FileNotFoundError(f"No vectors match {where} in {vectors_root()}.")
    # A foreign folder may hold some groups only.
    return [pytest.param(None, id="none", marks=pytest.mark.skip(reason=f"No vectors: {where}"))]
