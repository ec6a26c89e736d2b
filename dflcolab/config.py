"""Options as documented frozen dataclasses, and their way to the command line, forms and JSON.

A stage describes its options once, as fields with a docstring each. From that come the command
line's arguments, notebook forms, saved text and the checks. Nothing repeats a default.

Example:
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, kw_only=True)
    ... class BlurConfig(Config):
    ...     radius: int = option(3, low=0, high=50)
    >>> BlurConfig(radius=99)
    Traceback (most recent call last):
    ...
    dflcolab.errors.ConfigError: radius = 99 is out of range; allowed is 0 to 50.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import enum
import functools
import inspect
import itertools
import math
import operator
import textwrap
import types
import typing
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from dflcolab.errors import ConfigError

T = TypeVar("T")
C = TypeVar("C", bound="Config")


def option(
    default: T,
    *,
    low: float | None = None,
    high: float | None = None,
    advanced: bool = False,
) -> T:
    """A field with a default and the limits that its value must keep.

    Args:
        default: Value when the user says nothing.
        low: Smallest allowed number.
        high: Largest allowed number.
        advanced: Forms show the field only on request.
    """
    metadata = {"low": low, "high": high, "advanced": advanced}
    return cast(T, dataclasses.field(default=default, metadata=metadata))


@dataclass(frozen=True, kw_only=True)
class Config:
    """Base of all option dataclasses; checks every field when it is built.

    Raises:
        ConfigError: A value has the wrong type or lies outside its limits.
    """

    def __post_init__(self) -> None:
        hints = _type_hints(type(self))
        for field in dataclasses.fields(self):
            object.__setattr__(
                self, field.name, _checked(field, hints[field.name], getattr(self, field.name))
            )


@dataclass(frozen=True)
class OptionInfo:
    """What forms and the command line need to know about one field."""

    name: str
    type: Any
    default: Any
    required: bool
    help: str
    low: float | None
    high: float | None
    choices: tuple[object, ...] | None
    advanced: bool


@functools.cache
def describe(config_class: type[Config]) -> tuple[OptionInfo, ...]:
    """All fields of a config class in order, with their documentation."""
    hints = _type_hints(config_class)
    docs = _field_docs(config_class)
    found: list[OptionInfo] = []
    for field in dataclasses.fields(config_class):
        kind = hints[field.name]
        found.append(
            OptionInfo(
                name=field.name,
                type=kind,
                default=None if field.default is dataclasses.MISSING else field.default,
                required=field.default is dataclasses.MISSING
                and field.default_factory is dataclasses.MISSING,
                help=docs.get(field.name, ""),
                low=field.metadata.get("low"),
                high=field.metadata.get("high"),
                choices=_choices_of(kind),
                advanced=bool(field.metadata.get("advanced", False)),
            )
        )
    return tuple(found)


class ValueType(typing.NamedTuple):
    """Type of a field's values.

    Attributes:
        kind: The type of one; a union where it is one of several types, such as a number or a word.
        several: The field takes any number of them.
        optional: It may be None.
    """

    kind: Any
    several: bool
    optional: bool


def value_type(info: OptionInfo) -> ValueType:
    """What a field takes."""
    kind, optional = _without_none(info.type)
    several = typing.get_origin(kind) is tuple
    return ValueType(typing.get_args(kind)[0] if several else kind, several, optional)


def add_arguments(parser: argparse.ArgumentParser, config_class: type[Config]) -> None:
    """Add one command-line argument per field of `config_class`.

    Booleans become `--name/--no-name`, tuples take several values and may be repeated, a field
    called `action` becomes a positional word (`sync push`), everything else takes one value. An
    underscore behind a name that Python keeps for itself (`from_`) goes.
    """
    for info in describe(config_class):
        if info.name == "action":
            choices = [str(choice) for choice in info.choices or ()]
            parser.add_argument("action", choices=choices, help=info.help)
            continue
        kind, _ = _without_none(info.type)
        arguments: dict[str, Any] = {"dest": info.name, "help": _help_text(info)}
        if info.required:
            arguments["required"] = True
        else:
            arguments["default"] = argparse.SUPPRESS
        if kind is bool:
            arguments["action"] = argparse.BooleanOptionalAction
        else:
            item = kind
            if typing.get_origin(kind) is tuple:
                item = typing.get_args(kind)[0]
                arguments["nargs"] = "+"
                arguments["action"] = "extend"
            arguments["metavar"] = _metavar(info, item)
        parser.add_argument("--" + info.name.rstrip("_").replace("_", "-"), **arguments)


def from_arguments(config_class: type[C], arguments: argparse.Namespace) -> C:
    """Build the config from parsed arguments; what the user left out keeps its default."""
    given = {
        info.name: getattr(arguments, info.name)
        for info in describe(config_class)
        if hasattr(arguments, info.name)
    }
    return from_mapping(config_class, given)


def from_mapping(config_class: type[C], values: Mapping[str, object], *, source: str = "") -> C:
    """Build the config from plain values or text, as TOML, JSON, forms and `--set` hold them.

    Args:
        config_class: The class to build.
        values: Field name to value; text is converted to the field's type.
        source: Where the values come from, named in errors.

    Raises:
        ConfigError: Unknown name (with the nearest known one), wrong type, out of range, missing.
    """
    infos = {info.name: info for info in describe(config_class)}
    where = f" in {source}" if source else ""
    for name in values:
        if name not in infos:
            raise ConfigError(f"Unknown option {name!r}{where}{_suggestion(name, list(infos))}.")
    missing = [name for name, info in infos.items() if info.required and name not in values]
    if missing:
        raise ConfigError(f"The option {missing[0]!r} is missing{where}; give it a value.")
    return config_class(**values)


def updated(config: C, changes: Mapping[str, object]) -> C:
    """The same config with some fields changed (text is converted as in `from_mapping`)."""
    present = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    return from_mapping(type(config), {**present, **changes})


def with_assignments(
    config: C, texts: Sequence[str], *, fixed: Collection[str]
) -> tuple[C, dict[str, str]]:
    """The config with those of some `key=value` texts that name its fields, and all others.

    Args:
        config: What is changed.
        texts: As given with `--set`.
        fixed: Fields that are not set this way.

    Raises:
        ConfigError: A text has no `=`, or a field refuses its value.
    """
    assignments = parse_assignments(texts)
    own = {field.name for field in dataclasses.fields(config)} - set(fixed)
    mine = {name: value for name, value in assignments.items() if name in own}
    theirs = {name: value for name, value in assignments.items() if name not in own}
    return updated(config, mine) if mine else config, theirs


def parse_assignments(texts: Sequence[str]) -> dict[str, str]:
    """`["a=1", "b=x"]` as a dictionary.

    Raises:
        ConfigError: A text has no `=`.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConfigError(
                f"{text!r} is not of the form key=value; write for example batch_size=8."
            )
        found[name.strip()] = value.strip()
    return found


def to_plain(value: object) -> Any:
    """Configs, reports and paths as JSON-ready dictionaries, lists, numbers and text.

    JSON has no word for numbers that are not finite: they become None.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_plain(item) for item in cast(Sequence[Any], value)]
    if hasattr(value, "item") and hasattr(value, "dtype"):
        return to_plain(cast(Any, value).tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def parse_toml(text: str, *, source: str) -> dict[str, Any]:
    """TOML text as a dictionary.

    Raises:
        ConfigError: The text is not TOML; the message names `source` and the line.
    """
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{source or 'The text'} is not valid TOML: {error}; correct that line."
        ) from error


@functools.cache
def _type_hints(config_class: type[Config]) -> dict[str, Any]:
    return typing.get_type_hints(config_class)


@functools.cache
def _field_docs(config_class: type[Config]) -> dict[str, str]:
    """Text literals under the fields, of the class and its bases."""
    docs: dict[str, str] = {}
    for base in reversed(config_class.__mro__):
        if base in (object, Config) or not dataclasses.is_dataclass(base):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError):
            continue
        body = cast(ast.ClassDef, tree.body[0]).body
        for statement, following in itertools.pairwise(body):
            if (
                isinstance(statement, ast.AnnAssign)
                and isinstance(statement.target, ast.Name)
                and isinstance(following, ast.Expr)
                and isinstance(following.value, ast.Constant)
                and isinstance(following.value.value, str)
            ):
                docs[statement.target.id] = " ".join(following.value.value.split())
    return docs


def _without_none(kind: Any) -> tuple[Any, bool]:
    """`X | None` as `(X, True)`, everything else as `(kind, False)`."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        members = [member for member in typing.get_args(kind) if member is not type(None)]
        if len(members) == 1:
            return members[0], True
        if len(members) < len(typing.get_args(kind)):
            return functools.reduce(operator.or_, members), True
    return kind, False


def _choices_of(kind: Any) -> tuple[object, ...] | None:
    kind, _ = _without_none(kind)
    if typing.get_origin(kind) is tuple:
        kind = typing.get_args(kind)[0]
    if typing.get_origin(kind) is typing.Literal:
        return typing.get_args(kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return tuple(member.value for member in kind)
    return None


def _checked(field: dataclasses.Field[Any], kind: Any, value: Any) -> Any:
    value = _converted(field.name, kind, value)
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        _check_range(field.name, value, field.metadata.get("low"), field.metadata.get("high"))
    return value


def _check_range(name: str, value: float, low: float | None, high: float | None) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{name} = {value} is not a finite number; give one.")
    if low is not None and high is not None and not low <= value <= high:
        raise ConfigError(f"{name} = {value} is out of range; allowed is {low} to {high}.")
    if low is not None and value < low:
        raise ConfigError(f"{name} = {value} is out of range; allowed is {low} or more.")
    if high is not None and value > high:
        raise ConfigError(f"{name} = {value} is out of range; allowed is {high} or less.")


def _converted(name: str, kind: Any, value: Any) -> Any:
    """`value` as `kind`; text is parsed, wrong types are refused."""
    inner, optional = _without_none(kind)
    if value is None or (optional and isinstance(value, str) and value.lower() == "none"):
        if optional:
            return None
        raise ConfigError(f"{name} needs a value; give one.")
    if typing.get_origin(inner) in (typing.Union, types.UnionType):
        return _first_that_fits(name, inner, value)
    if typing.get_origin(inner) is typing.Literal:
        for choice in typing.get_args(inner):
            if value == choice or str(value) == str(choice):
                return choice
        allowed = ", ".join(str(choice) for choice in typing.get_args(inner))
        raise ConfigError(f"{name} = {value!r} is not known; choose one of {allowed}.")
    if typing.get_origin(inner) is tuple:
        item = typing.get_args(inner)[0]
        if isinstance(value, str):
            value = [part for part in value.split(",") if part]
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{name} = {value!r} is not a list; give several values.")
        return tuple(_converted(name, item, part) for part in cast(Sequence[Any], value))
    if isinstance(inner, type) and issubclass(inner, enum.Enum):
        try:
            return inner(value)
        except ValueError:
            allowed = ", ".join(str(member.value) for member in inner)
            raise ConfigError(
                f"{name} = {value!r} is not known; choose one of {allowed}."
            ) from None
    return _converted_scalar(name, inner, value)


_NUMBERS: dict[Any, str] = {int: "a whole number", float: "a number"}


def _first_that_fits(name: str, union: Any, value: Any) -> Any:
    last: ConfigError | None = None
    for member in typing.get_args(union):
        try:
            return _converted(name, member, value)
        except ConfigError as error:
            last = error
    members = typing.get_args(union)
    numbers = [_NUMBERS[member] for member in members if member in _NUMBERS]
    words = [str(choice) for member in members for choice in _choices_of(member) or ()]
    if numbers and words:
        raise ConfigError(
            f"{name} = {value!r} is not known; give {numbers[0]}, or choose one of {', '.join(words)}."
        )
    raise last or ConfigError(f"{name} = {value!r} is not understood; see --help.")


_BOOLEANS = {"true": True, "yes": True, "y": True, "1": True, "on": True,
             "false": False, "no": False, "n": False, "0": False, "off": False}  # fmt: skip


def _converted_scalar(name: str, kind: Any, value: Any) -> Any:
    if kind is bool:
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in _BOOLEANS:
            return _BOOLEANS[value.lower()]
        raise ConfigError(f"{name} = {value!r} is neither yes nor no; write true or false.")
    if kind is Path and isinstance(value, (str, Path)):
        return Path(value)
    if kind in (int, float):
        try:
            number = kind(value) if not isinstance(value, bool) else None
        except (TypeError, ValueError, OverflowError):
            number = None
        if number is None or (not isinstance(value, str) and number != value):
            wanted = _NUMBERS[kind]
            raise ConfigError(f"{name} = {value!r} is not {wanted}; give {wanted}.")
        return number
    if kind is str and isinstance(value, str):
        return value
    if isinstance(kind, type) and isinstance(value, kind):
        return value
    raise ConfigError(f"{name} = {value!r} has the wrong type; see --help.")


def _help_text(info: OptionInfo) -> str:
    text = info.help.replace("%", "%%")
    extras: list[str] = []
    if info.choices:
        extras.append("one of " + ", ".join(map(str, info.choices)))
    elif info.low is not None and info.high is not None:
        extras.append(f"{info.low} to {info.high}")
    if not info.required and info.default not in (None, (), ""):
        shown = to_plain(info.default)
        extras.append(f"default {'yes' if shown is True else 'no' if shown is False else shown}")
    return f"{text} ({'; '.join(extras)})" if extras else text


def _metavar(info: OptionInfo, item: Any) -> str:
    if item in (int, float):
        return "N"
    if item is Path:
        return "PATH"
    return info.name.rstrip("_").upper().rsplit("_", 1)[-1]


def _suggestion(name: str, known: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"
