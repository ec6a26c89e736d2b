"""The notebooks keep the habits that Colab users rely on."""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from dflcolab.runtime.notebook import Session

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.name)
def notebook(request: pytest.FixtureRequest) -> dict[str, Any]:
    return json.loads(request.param.read_text(encoding="utf-8"))


def code_cells(notebook: dict[str, Any]) -> list[str]:
    return ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]


def test_there_is_a_notebook():
    assert NOTEBOOKS


def test_it_is_short_and_has_no_outputs(notebook):
    assert len(notebook["cells"]) <= 15
    for cell in notebook["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_it_opens_on_a_gpu_with_its_badge_first(notebook):
    assert notebook["metadata"]["accelerator"] == "GPU"
    assert notebook["metadata"]["colab"]["gpuType"] == "T4"
    assert "colab-badge.svg" in "".join(notebook["cells"][0]["source"])


def test_every_code_cell_is_a_titled_form_with_an_explanation(notebook):
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["metadata"]["cellView"] == "form"
            assert cell["source"][0].startswith("#@title ")
            assert cell["source"][1].startswith("#@markdown ")


def test_cells_hold_calls_and_no_logic(notebook):
    # The install cell needs its one `if`; everything else is assignments and calls.
    for number, source in enumerate(code_cells(notebook)):
        assert not any(line.lstrip().startswith(("!", "%")) for line in source.splitlines())
        tree = ast.parse(source)
        kinds = (ast.For, ast.While, ast.FunctionDef, ast.ClassDef, ast.Try, ast.With)
        assert not any(isinstance(node, kinds) for node in ast.walk(tree))
        n_ifs = sum(isinstance(node, ast.If) for node in ast.walk(tree))
        assert n_ifs == (1 if number == 0 else 0)


def test_every_form_field_reaches_the_call_under_its_own_name(notebook):
    """So that a value set from outside, and a reader, find it by the name in the form."""
    for source in code_cells(notebook)[1:]:
        tree = ast.parse(source)
        fields = {
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        (call,) = [node.value for node in tree.body if isinstance(node, ast.Expr)]
        awaited = isinstance(call, ast.Await)
        call = call.value if awaited else call
        assert isinstance(call, ast.Call)
        assert isinstance(call.func, ast.Attribute)
        assert awaited == inspect.iscoroutinefunction(getattr(Session, call.func.attr))
        keywords = {item.arg for item in call.keywords}
        for item in call.keywords:
            assert isinstance(item.value, ast.Name)
            assert item.value.id == item.arg
        assert keywords == fields
        accepted = inspect.signature(getattr(Session, call.func.attr)).parameters
        assert keywords <= set(accepted)


def test_the_choices_of_the_forms_are_those_of_the_package(notebook):
    from dflcolab.faceset.config import SortKind
    from dflcolab.runtime.rules import CHOICES
    from dflcolab.workspace.settings import RightsBasis

    def choices(name: str) -> list[str]:
        for source in code_cells(notebook):
            for line in source.splitlines():
                if line.startswith(f"{name} = ") and "#@param" in line:
                    return json.loads(line.partition("#@param ")[2])
        raise AssertionError(name)

    assert sorted(choices("src_by")) == sorted(SortKind)
    assert tuple(choices("my_choice")) == CHOICES
    assert choices("src_rights")[1:] == list(RightsBasis)


def test_nothing_in_it_keeps_a_machine_alive_or_hides(notebook):
    text = json.dumps(notebook).lower()
    for word in (
        "keep alive",
        "keepalive",
        "auto-click",
        "autoclick",
        "ngrok",
        "base64",
        "setinterval",
    ):
        assert word not in text
