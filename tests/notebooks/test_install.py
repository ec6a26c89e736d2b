"""The install cell completes Colab's packages and replaces none of them; facts in `tests/data/colab`."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dflcolab.runtime.versions import OPENCV_BUILDS

ROOT = Path(__file__).parents[2]
RUNTIMES: dict[str, Any] = json.loads((ROOT / "tests/data/colab/packages.json").read_text())
ALSO_HERE = {"jupyter-ui-poll": "1.1.0"}  # the test environment has no use for it


@pytest.fixture(scope="module")
def pip_arguments() -> list[str]:
    """What the cell gives to pip, the package itself left out."""
    notebook = json.loads((ROOT / "notebooks" / "dflcolab.ipynb").read_text(encoding="utf-8"))
    tree = ast.parse("".join(notebook["cells"][1]["source"]))
    (command,) = [node for node in ast.walk(tree) if isinstance(node, ast.List)]
    return [item.value for item in command.elts if isinstance(item, ast.Constant)]


def added(pip_arguments: list[str]) -> list[str]:
    return [
        canonicalize_name(word)
        for word in pip_arguments
        if not word.startswith("-") and word not in ("pip", "install")
    ]


def test_pip_may_add_packages_only(pip_arguments: list[str]):
    """Without dependencies, upgrades and versions, a package that is there stays as it is."""
    assert "--no-deps" in pip_arguments
    assert not {"-U", "--upgrade", "--force-reinstall", "-I"} & set(pip_arguments)
    assert not any(sign in word for word in pip_arguments for sign in "=<>~")
    vital = {"numpy", "tensorflow", "keras", "protobuf", "ipywidgets", *OPENCV_BUILDS}
    assert not vital & set(added(pip_arguments))


@pytest.mark.parametrize("name", RUNTIMES)
def test_nothing_is_missing_afterwards(name: str, pip_arguments: list[str]):
    runtime = RUNTIMES[name]
    new = {
        package: ALSO_HERE.get(package) or importlib.metadata.version(package)
        for package in added(pip_arguments)
        if package not in runtime["packages"]
    }
    there = {**new, **runtime["packages"]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {"dflcolab": project["dependencies"]}
    for package in new.keys() - ALSO_HERE.keys():
        wanted[package] = importlib.metadata.requires(package) or []

    environment = {"python_version": runtime["python"], "extra": ""}
    missing = [
        f"{who} needs {text}"
        for who, texts in wanted.items()
        for text in texts
        if (requirement := Requirement(text)).marker is None
        or requirement.marker.evaluate(environment)
        if not requirement.specifier.contains(
            there.get(canonicalize_name(requirement.name), "0"), prereleases=True
        )
        or canonicalize_name(requirement.name) not in there
    ]
    assert missing == []


def test_a_failing_pip_is_one_sentence_with_its_reason(monkeypatch: pytest.MonkeyPatch):
    notebook = json.loads((ROOT / "notebooks" / "dflcolab.ipynb").read_text(encoding="utf-8"))
    said = "  fatal: could not resolve host\n\nnote: not a problem with pip\n"
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(
        subprocess, "run", lambda *_, **__: subprocess.CompletedProcess((), 1, "", said)
    )

    with pytest.raises(Exception, match="not installed") as caught:
        exec("".join(notebook["cells"][1]["source"]), {})

    (sentence,) = caught.value._render_traceback_()  # what IPython shows in the traceback's place
    assert "(fatal: could not resolve host); correct the field package" in sentence
