"""Messages as they stand in the code, found without running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "dflcolab"


@dataclass(frozen=True)
class Message:
    """A sentence in a module; `…` stands for what is filled in."""

    module: str
    line: int
    text: str
    error: str | None
    """Name of the refusal that is made of it, if it is."""

    @property
    def is_sentence(self) -> bool:
        """False for parts, such as the name of a damage that another sentence tells."""
        return self.text.endswith((".", "…")) and len(re.findall("[A-Za-z]{2,}", self.text)) > 2

    @property
    def names_a_remedy(self) -> bool:
        """True for "what failed; what to do." """
        return self.text.endswith(".") and "; " in self.text


def messages_of(*places: str) -> Iterator[Message]:
    """Every message of the modules that the patterns (relative to the package) name.

    Raises:
        FileNotFoundError: A pattern fits no module.
    """
    refusals = _refusals()
    for place in places:
        modules = sorted(PACKAGE.glob(place))
        if not modules:
            raise FileNotFoundError(f"no module {place}")
        for module in modules:
            name = module.relative_to(PACKAGE).as_posix()
            for node, error in _texts(
                ast.parse(module.read_text(encoding="utf-8")), refusals, None
            ):
                for text in variants(node):
                    yield Message(name, node.lineno, text, error)


def _texts(
    node: ast.AST, refusals: frozenset[str], error: str | None
) -> Iterator[tuple[ast.expr, str | None]]:
    """Outermost texts below `node`, each with the refusal that it is the argument of; no docstrings."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.Call):
        called = (
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        )
        error = called if called in refusals else error
    if isinstance(node, ast.expr) and variants(node):
        yield node, error
        parts: list[ast.AST] = [
            part for part in ast.walk(node) if isinstance(part, ast.FormattedValue)
        ]
    else:
        parts = list(ast.iter_child_nodes(node))
    for part in parts:
        yield from _texts(part, refusals, None if isinstance(part, ast.FormattedValue) else error)


def variants(node: ast.AST) -> list[str]:
    """The texts that an expression may give: one, or several if it holds a choice; [] if it is no text."""
    match node:
        case ast.Constant(value=str(text)):
            return [_filled(re.sub("%[sd]", "…", text))]
        case ast.JoinedStr(values=values):
            return [
                _filled(
                    "".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in values)
                )
            ]
        case ast.BinOp(left=left, op=ast.Add(), right=right) if variants(left) or variants(right):
            return [
                _filled(first + second)
                for first in variants(left) or ["…"]
                for second in variants(right) or ["…"]
            ]
        case ast.IfExp(body=body, orelse=orelse):
            return [*variants(body), *variants(orelse)]
        case ast.Call(func=ast.Attribute(value=value, attr="format")):
            return [re.sub(r"\{[^{}]*\}", "…", text) for text in variants(value)]
    return []


def _filled(text: str) -> str:
    return re.sub("…{2,}", "…", text)


def _refusals() -> frozenset[str]:
    """Names of all classes of the package that are shown to the user as a sentence."""
    classes: dict[str, set[str]] = {"DFLColabError": set()}
    for module in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                classes[node.name] = {base.id for base in node.bases if isinstance(base, ast.Name)}
    known = {"DFLColabError"}
    while found := {name for name, bases in classes.items() if bases & known} - known:
        known |= found
    return frozenset(known)
