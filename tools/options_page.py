"""Writes `docs/options.md` from the options' own classes.

    .venv/bin/python -m tools.options_page

A test compares the page with what this writes.
"""

from __future__ import annotations

import enum
import typing
from pathlib import Path

from dflcolab.cli.commands import COMMANDS
from dflcolab.config import Config, OptionInfo, describe, value_type
from dflcolab.files import write_text
from dflcolab.merging.options import CompositeOptions
from dflcolab.models.amp.options import AmpOptions
from dflcolab.models.quick96 import Quick96Options
from dflcolab.models.saehd.options import SaehdOptions
from dflcolab.models.xseg.options import XSegOptions

PAGE = Path(__file__).parents[1] / "docs" / "options.md"

_HEAD = """\
# All options, with what they do and cost

Written by `python -m tools.options_page` from the classes that the command line, the forms and the checks are made
of, so names, defaults and ranges are those of the program. `dflcolab VERB --help` shows the same. On the command line
options stand as `--jpeg-quality 95`; with `--set` as `--set random_warp=no`. In the notebook, the fields
`options` and `merge_options` take what `--set` takes.
"""

_SET: tuple[tuple[str, str, type[Config]], ...] = (
    (
        "SAEHD models",
        (
            "Given to `train` and `pretrain` with `--set`. What shapes the network (`resolution`, `face_type`, `archi`, `…_dims`) is fixed "
            "when the model is made; everything else may change from run to run. Defaults are those without a preset."
        ),
        SaehdOptions,
    ),
    ("AMP models", "In the same way, with `--arch amp`.", AmpOptions),
    ("Quick96 models", "With `--arch quick96`.", Quick96Options),
    ("XSeg models", "Given to `mask train` with `--set`.", XSegOptions),
    (
        "Merging",
        "Given to `merge` with `--set`, or written to `merge.toml` ([more](merging.md)).",
        CompositeOptions,
    ),
)


def page() -> str:
    """The whole page."""
    titles = [*(f"`{verb}`" for verb in COMMANDS), *(title for title, _, _ in _SET)]
    links = " · ".join(f"[{title}](#{_anchor(title)})" for title in titles)
    parts = [_HEAD, links + "\n"]
    for verb, command in COMMANDS.items():
        parts.append(_section(f"`{verb}`", f"{command.help}.", command.load_config(), dashes=True))
    for title, text, options in _SET:
        parts.append(_section(title, text, options, dashes=False))
    return "\n".join(parts)


def _section(title: str, text: str, config: type[Config], *, dashes: bool) -> str:
    rows = [_row(info, dashes=dashes) for info in describe(config)]
    lines = [f"## {title}", "", text, ""]
    if rows:
        lines += [
            "| option | default | values | what it does, when to change it |",
            "|---|---|---|---|",
            *rows,
        ]
    return "\n".join([*lines, ""])


def _row(info: OptionInfo, *, dashes: bool) -> str:
    name = info.name
    if dashes and name != "action":
        name = "--" + name.rstrip("_").replace("_", "-")
    help_text = " ".join(info.help.split()).replace("|", "\\|").replace("<", "&lt;")
    return f"| `{name}` | {_default(info)} | {_values(info)} | {help_text} |"


def _default(info: OptionInfo) -> str:
    if info.required:
        return "(needed)"
    return "" if info.default in (None, (), "") else f"`{_shown(info.default)}`"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, tuple):
        return " ".join(map(_shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _values(info: OptionInfo) -> str:
    """What it takes, in words."""
    kind, several, _ = value_type(info)
    if info.choices:
        text = ", ".join(f"`{_shown(choice)}`" for choice in info.choices)
    elif kind is bool:
        text = "yes or no"
    elif info.low is not None or info.high is not None:
        text = " ".join(
            f"{word} {limit:g}"
            for word, limit in (("from", info.low), ("to", info.high))
            if limit is not None
        )
    else:
        text = " or ".join(_kind_name(part) for part in (typing.get_args(kind) or (kind,)))
    return f"{text}; several" if several else text


def _kind_name(kind: object) -> str:
    """A type in words; of words and enums their values."""
    if typing.get_origin(kind) is typing.Literal:
        return ", ".join(f"`{value}`" for value in typing.get_args(kind))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return ", ".join(f"`{member.value}`" for member in kind)
    names = {int: "whole number", float: "number", str: "text", Path: "path"}
    return names[typing.cast(type, kind)]


def _anchor(title: str) -> str:
    return title.strip("`").lower().replace(" ", "-")


def main() -> None:
    """Write the page."""
    write_text(PAGE, page())


if __name__ == "__main__":
    main()
