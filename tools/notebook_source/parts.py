"""What a notebook is made of, and its way to an `.ipynb` file."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from dflcolab.runtime.notebook import Session

REPOSITORY = "dflcolab/dflcolab"
LANGUAGES = ("en", "ja")
Language = Literal["en", "ja"]
Value = str | int | float | bool


@dataclass(frozen=True)
class Text:
    """A text in both languages."""

    en: str
    ja: str

    def of(self, language: Language) -> str:
        """The text in one language."""
        return self.en if language == "en" else self.ja


@dataclass(frozen=True)
class Field:
    """A field of a form.

    Attributes:
        name: Variable, and parameter of the call; the same in both languages.
        default: Its value.
        help: What to put in, and why.
        choices: Allowed values, for a field with a list.
        takes_others: Other values may be typed into the list.
    """

    name: str
    default: Value
    help: Text
    choices: tuple[str, ...] = ()
    takes_others: bool = False

    def lines(self, language: Language) -> list[str]:
        """The help and the field, as Colab reads them."""
        return [
            f"#@markdown `{self.name}`: {self.help.of(language)}",
            f"{self.name} = {self._literal()} #@param {self._kind()}",
        ]

    def _literal(self) -> str:
        return json.dumps(self.default) if isinstance(self.default, str) else repr(self.default)

    def _kind(self) -> str:
        if self.choices:
            return json.dumps(list(self.choices)) + " {allow-input: true}" * self.takes_others
        kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
        return f'{{type:"{kinds[type(self.default)]}"}}'


def state_field(name: str, of: Text) -> Field:
    """The field that says which saved state of a model is used.

    Args:
        name: Of the field.
        of: Whose state, and what for.
    """
    return Field(
        name,
        "latest",
        Text(
            f"{of.en}: the `latest`; the `best`, which has the lowest score on faces kept out of training (look at both after an "
            "over-training); or an iteration, as a number.",
            f"{of.ja}。`latest` は最新、`best` は学習に使わなかった顔での評価が最も良い状態です（過学習の後は両方を見比べてください）。回数を数字で指定することもできます。",
        ),
        ("latest", "best"),
        takes_others=True,
    )


@dataclass(frozen=True)
class Cell:
    """A form with one call.

    Attributes:
        title: Shown above the form; the English one is what messages call the cell.
        help: What the cell does.
        fields: The form.
        call: The session's method that it calls, such as `extract`; it gets all fields by name, and is
            awaited where it has to be.
        code: Stands in the place of the call where there is more to do.
    """

    title: Text
    help: Text
    fields: tuple[Field, ...] = ()
    call: str = ""
    code: str = ""

    def with_defaults(self, **values: Value) -> Cell:
        """The same cell with other values in its form."""
        unknown = values.keys() - {item.name for item in self.fields}
        if unknown:
            raise KeyError(f"the cell {self.title.en} has no field {', '.join(sorted(unknown))}")
        fields = (replace(f, default=values.get(f.name, f.default)) for f in self.fields)
        return replace(self, fields=tuple(fields))

    def source(self, number: int, language: Language) -> str:
        """The text of the cell."""
        title = self.title.en
        if language == "ja":
            title = f"{self.title.ja} ({self.title.en})"
        lines = [f'#@title {number} · {title} {{ display-mode: "form" }}']
        lines += [f"#@markdown {part}".rstrip() for part in self.help.of(language).split("\n")]
        lines += ["#@markdown"] if self.fields else []  # a paragraph of its own for the first field
        for item in self.fields:
            lines += item.lines(language)
        return "\n".join([*lines, "", self.code or self._call()])

    def _call(self) -> str:
        arguments = ", ".join(f"{item.name}={item.name}" for item in self.fields)
        awaited = inspect.iscoroutinefunction(getattr(Session, self.call))
        return f"{'await ' if awaited else ''}session.{self.call}({arguments})"


@dataclass(frozen=True)
class Notebook:
    """A notebook.

    Attributes:
        name: Of its file, without ending.
        title: Heading.
        help: What it is for, below the heading.
        cells: Its cells.
        common: What all notebooks say below that.
        on_gpu: Colab is to open it on a machine with a GPU.
    """

    name: str
    title: Text
    help: Text
    cells: tuple[Cell, ...]
    common: Text
    on_gpu: bool = True

    def file_name(self, language: Language) -> str:
        """Name of its file."""
        return f"{self.name}{'_ja' * (language == 'ja')}.ipynb"

    def render(self, language: Language) -> str:
        """The file's content."""
        other: Language = "ja" if language == "en" else "en"
        base = f"https://colab.research.google.com/github/{REPOSITORY}/blob/main/notebooks"
        badge = (
            "[![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
            f"({base}/{self.file_name(language)})"
        )
        switch = {"en": "English", "ja": "日本語"}[other]
        head = [
            f"{badge} [{switch}]({base}/{self.file_name(other)})",
            f"# {self.title.of(language)}",
            self.help.of(language),
            self.common.of(language),
        ]
        cells: list[Mapping[str, Any]] = [
            {
                "cell_type": "markdown",
                "id": "c00",
                "metadata": {},
                "source": _lines("\n\n".join(head)),
            }
        ]
        for number, cell in enumerate(self.cells, 1):
            cells.append(
                {
                    "cell_type": "code",
                    "execution_count": None,
                    "id": f"c{number:02d}",
                    "metadata": {"cellView": "form"},
                    "outputs": [],
                    "source": _lines(cell.source(number, language)),
                }
            )
        colab: Mapping[str, Any] = {"provenance": [], "toc_visible": True}
        metadata = (
            {**_GPU, "colab": {"gpuType": "T4", **colab}} if self.on_gpu else {"colab": colab}
        )
        whole = {"cells": cells, "metadata": {**metadata, **_KERNEL}, **_FORMAT}
        return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


_GPU: Mapping[str, Any] = {"accelerator": "GPU"}
_KERNEL: Mapping[str, Any] = {
    "kernelspec": {"display_name": "Python 3", "name": "python3"},
    "language_info": {"name": "python"},
}
_FORMAT: Mapping[str, Any] = {"nbformat": 4, "nbformat_minor": 5}


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
