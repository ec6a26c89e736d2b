"""The notebooks keep the habits that Colab users rely on, in both languages."""

from __future__ import annotations

import ast
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from dflcolab.faceset.config import SortKind
from dflcolab.runtime.notebook import Session
from dflcolab.runtime.rules import CHOICES, CONSENT
from dflcolab.workspace.settings import RightsBasis
from tools.notebook_source.books import BOOKS
from tools.notebook_source.parts import LANGUAGES

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> dict[str, Any]:
    return json.loads(request.param.read_text(encoding="utf-8"))


def code_cells(notebook: dict[str, Any]) -> list[str]:
    return ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]


def code_of(source: str) -> str:
    """A cell without its texts."""
    lines = source.splitlines()
    return "\n".join(line for line in lines if not line.startswith(("#@title", "#@markdown")))


def test_the_files_are_what_the_source_writes():
    written = {
        book.file_name(language): book.render(language) for book in BOOKS for language in LANGUAGES
    }

    assert sorted(written) == [path.name for path in NOTEBOOKS]
    stale = [
        path.name for path in NOTEBOOKS if path.read_text(encoding="utf-8") != written[path.name]
    ]
    assert not stale, "run `python -m tools.notebook_source`"


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.name)
def test_both_languages_have_the_same_code_and_all_texts(book):
    english, japanese = (json.loads(book.render(language)) for language in LANGUAGES)

    assert [*map(code_of, code_cells(english))] == [*map(code_of, code_cells(japanese))]
    texts = [
        line
        for cell in japanese["cells"]
        for line in cell["source"]
        if re.match(r"#@markdown \S|#@title", line)
    ]
    assert all(re.search("[ぁ-んァ-ヶ一-龠]", line) for line in texts)
    # Messages name cells by their English titles.
    titles = [source.splitlines()[0] for source in code_cells(english)]
    for title, other in zip(titles, code_cells(japanese), strict=True):
        name = title.partition(" · ")[2].partition(" {")[0]
        assert f"({name})" in other.splitlines()[0]


def test_it_is_short_and_has_no_outputs(notebook):
    assert len(notebook["cells"]) <= 15
    for cell in notebook["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_its_badge_comes_first_and_it_opens_on_a_gpu_if_it_needs_one(notebook, request):
    needs_none = "check_faceset" in request.node.name
    assert notebook["metadata"].get("accelerator") == (None if needs_none else "GPU")
    assert notebook["metadata"]["colab"].get("gpuType") == (None if needs_none else "T4")
    assert notebook["cells"][0]["source"][0].startswith("[![Open In Colab]")


def test_the_rules_and_the_choice_come_before_everything_else(notebook):
    first = code_cells(notebook)[0]

    assert "2022" in first
    assert CONSENT in first or "同意" in first
    assert first.index("my_choice = ") < first.index("pip")
    assert first.index("my_choice = ") < first.index("notebook.start()")


def test_every_code_cell_is_a_titled_form_with_an_explanation(notebook):
    for number, cell in enumerate(notebook["cells"][1:], 1):
        assert cell["metadata"]["cellView"] == "form"
        assert cell["source"][0].startswith(f"#@title {number} · ")
        assert cell["source"][1].startswith("#@markdown ")


def test_cells_hold_calls_and_no_logic(notebook):
    # The install cell asks whether to install, and whether pip did; everything else is assignments and calls.
    for number, source in enumerate(code_cells(notebook)):
        assert not any(line.lstrip().startswith(("!", "%")) for line in source.splitlines())
        tree = ast.parse(source)
        kinds = (ast.For, ast.While, ast.FunctionDef, ast.ClassDef, ast.Try, ast.With)
        assert not any(isinstance(node, kinds) for node in ast.walk(tree))
        n_ifs = sum(isinstance(node, ast.If) for node in ast.walk(tree))
        assert n_ifs == (2 if number == 0 else 0)


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


def test_the_choices_of_the_forms_are_those_of_the_package():
    def choices(name: str) -> list[str]:
        for source in code_cells(main):
            for line in source.splitlines():
                if line.startswith(f"{name} = ") and "#@param" in line:
                    return json.loads(line.partition("#@param ")[2])
        raise AssertionError(name)

    main = json.loads((FOLDER / "dflcolab.ipynb").read_text(encoding="utf-8"))
    assert choices("src_by") == choices("dst_by") == list(SortKind)
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
