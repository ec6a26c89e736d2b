# pyright: strict
"""What `workspace.toml` says: name, face type, rights, the choice about the platform.

People edit that file by hand, so writing changes only the keys that changed and keeps their
comments, order and unknown keys.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dflcolab.config import parse_toml
from dflcolab.errors import ConfigError, WorkspaceError
from dflcolab.faces.face_type import FaceType
from dflcolab.files import storage_errors, write_text

FILE_NAME = "workspace.toml"
FORMAT_VERSION = 1


class RightsBasis(enum.StrEnum):
    """On what ground the likeness of a person is used."""

    SELF = "self"
    CONSENT = "consent"
    LICENSED = "licensed"
    PUBLIC_DOMAIN = "public-domain"
    SYNTHETIC = "synthetic"


@dataclass(frozen=True)
class Rights:
    """The ground on which one side's person is shown, and a free note (who agreed, when, where)."""

    basis: RightsBasis
    note: str = ""


@dataclass(frozen=True)
class PlatformChoice:
    """What the user decided after reading the rules of the platform.

    Attributes:
        place: Where the rules were shown ("hosted Colab", "Kaggle", …).
        decision: The user's own choice, in the words of the form.
        time: ISO 8601 time in UTC.
    """

    place: str
    decision: str
    time: str


@dataclass(frozen=True)
class ChosenPerson:
    """Whose faces of a side are wanted, as `clean --identity` was told.

    Attributes:
        reference: What the user gave: `auto`, a person's number, or names of pictures.
        vectors: Name of the file beside `workspace.toml` with the person's identity vectors; ""
            where only the words above count.
    """

    reference: str
    vectors: str = ""


@dataclass(frozen=True, kw_only=True)
class WorkspaceSettings:
    """Content of `workspace.toml`; what the file does not say has its default here."""

    name: str
    face_type: FaceType = FaceType.WHOLE
    rights_src: Rights | None = None
    rights_dst: Rights | None = None
    platform_choice: PlatformChoice | None = None
    person_src: ChosenPerson | None = None
    person_dst: ChosenPerson | None = None
    remote: str = ""
    """Where `sync` copies the workspace to; "" until it was said."""
    format_version: int = FORMAT_VERSION

    @property
    def rights(self) -> dict[str, Rights | None]:
        """Rights by side name (`"src"`, `"dst"`)."""
        return {"src": self.rights_src, "dst": self.rights_dst}

    @property
    def people(self) -> dict[str, ChosenPerson | None]:
        """Chosen people by side name (`"src"`, `"dst"`)."""
        return {"src": self.person_src, "dst": self.person_dst}


_ENCODING = "utf-8-sig"
"""UTF-8; the mark that some editors of Windows put in front is passed over."""

_HEAD = """\
# Settings of this dflcolab workspace. Edit it by hand if you like: comments and unknown keys stay.
"""
_RIGHTS_HINT = (
    "On what basis each person's likeness is used: "
    "self, consent, licensed, public-domain or synthetic."
)
_PEOPLE_HINT = "Whose faces are wanted; `dflcolab clean --identity` writes and repeats that choice."


def read_settings(root: Path) -> WorkspaceSettings:
    """Read `workspace.toml` of the workspace at `root`.

    Raises:
        WorkspaceError: A value is not understood, or a newer version wrote the file.
        ConfigError: The file is not TOML.
    """
    path = root / FILE_NAME
    with storage_errors(path):
        try:
            text = path.read_text(encoding=_ENCODING)
        except UnicodeDecodeError as error:
            raise WorkspaceError(
                f"{path} is not UTF-8 text; save it as UTF-8 or delete it and run `dflcolab init`."
            ) from error
    values = parse_toml(text, source=str(path))
    version = values.get("format_version", FORMAT_VERSION)
    if not isinstance(version, int) or version < 1:
        raise WorkspaceError(f"{path}: format_version = {version!r} is not understood; write 1.")
    if version > FORMAT_VERSION:
        raise WorkspaceError(
            f"{path} was written by a newer dflcolab (format {version}); upgrade this one."
        )
    rights = _table(values, "rights", path)
    people = _table(values, "people", path)
    return WorkspaceSettings(
        name=str(values.get("name", root.resolve().name)),
        face_type=_face_type(values, path),
        rights_src=_rights(_table(rights, "src", path), "src", path),
        rights_dst=_rights(_table(rights, "dst", path), "dst", path),
        platform_choice=_platform_choice(_table(values, "platform", path)),
        person_src=_chosen_person(people.get("src"), path),
        person_dst=_chosen_person(people.get("dst"), path),
        remote=str(_table(values, "sync", path).get("remote", "")),
        format_version=version,
    )


def write_settings(root: Path, settings: WorkspaceSettings) -> None:
    """Bring `workspace.toml` in line with `settings`, changing only what differs (atomic).

    Raises:
        ConfigError: The present file is not TOML.
        StorageError: The disk is full or read-only.
    """
    import tomlkit

    path = root / FILE_NAME
    present = path.read_text(encoding=_ENCODING) if path.exists() else _HEAD
    parse_toml(present, source=str(path))
    document = cast(Any, tomlkit.parse(present))
    _put(document, "format_version", settings.format_version)
    _put(document, "name", settings.name)
    _put(document, "face_type", settings.face_type.value)
    if "rights" not in document:
        table = cast(Any, tomlkit.table())
        table.add(tomlkit.comment(_RIGHTS_HINT))
        document["rights"] = table
    for side, rights in settings.rights.items():
        if rights is None:
            document["rights"].pop(side, None)
            continue
        if side not in document["rights"]:
            document["rights"][side] = tomlkit.table()
        _put(document["rights"][side], "basis", rights.basis.value)
        _put(document["rights"][side], "note", rights.note)
    choice = settings.platform_choice
    if choice is not None:
        table = document.setdefault("platform", tomlkit.table())
        for key in ("place", "decision", "time"):
            _put(table, key, getattr(choice, key))
    if settings.remote:
        _put(document.setdefault("sync", tomlkit.table()), "remote", settings.remote)
    for side, person in settings.people.items():
        if person is not None:
            _put_person(document, side, person)
        elif isinstance(document.get("people", {}).get(side), dict):
            document["people"].pop(side)
    # The folder's name need not be text; TOML holds nothing else.
    text = tomlkit.dumps(document).encode(errors="replace").decode()
    if text != present or not path.exists():
        write_text(path, text)


def _put_person(document: Any, side: str, person: ChosenPerson) -> None:
    import tomlkit

    if "people" not in document:
        table = cast(Any, tomlkit.table())
        table.add(tomlkit.comment(_PEOPLE_HINT))
        document["people"] = table
    if not isinstance(document["people"].get(side), dict):
        document["people"][side] = tomlkit.table()
    _put(document["people"][side], "reference", person.reference)
    _put(document["people"][side], "vectors", person.vectors)


def _put(table: Any, key: str, value: object) -> None:
    """Set a key without touching it (and the comment behind it) when it already has the value."""
    if key not in table or table[key] != value:
        table[key] = value


def _table(values: Mapping[str, Any], key: str, path: Path) -> dict[str, Any]:
    found = values.get(key, {})
    if not isinstance(found, dict):
        raise WorkspaceError(f"{path}: {key} is not a table; write it as [{key}].")
    return cast(dict[str, Any], found)


def _face_type(values: Mapping[str, Any], path: Path) -> FaceType:
    text = values.get("face_type", FaceType.WHOLE.value)
    try:
        return FaceType.parse(str(text))
    except ConfigError as error:
        known = ", ".join(member.value for member in FaceType)
        raise WorkspaceError(
            f"{path}: face_type = {text!r} is not known; choose one of {known}."
        ) from error


def _rights(values: Mapping[str, Any], side: str, path: Path) -> Rights | None:
    basis = values.get("basis", "")
    if basis == "":
        return None
    try:
        return Rights(RightsBasis(basis), str(values.get("note", "")))
    except ValueError as error:
        known = ", ".join(member.value for member in RightsBasis)
        raise WorkspaceError(
            f"{path}: the rights basis {basis!r} of {side} is not known; choose one of {known}."
        ) from error


def _chosen_person(found: object, path: Path) -> ChosenPerson | None:
    """The choice in a table; a plain text there (`src = "Ann"`) is a note of the user's own."""
    if not isinstance(found, dict):
        return None
    values = cast(dict[str, Any], found)
    reference, vectors = str(values.get("reference", "")), str(values.get("vectors", ""))
    if set(vectors) & set("/\\") or vectors.startswith("."):
        raise WorkspaceError(
            f"{path}: {vectors!r} names a file elsewhere; people.vectors is a plain file name "
            "beside this file."
        )
    return ChosenPerson(reference, vectors) if reference or vectors else None


def _platform_choice(values: Mapping[str, Any]) -> PlatformChoice | None:
    if not values.get("decision"):
        return None
    return PlatformChoice(
        place=str(values.get("place", "")),
        decision=str(values["decision"]),
        time=str(values.get("time", "")),
    )
