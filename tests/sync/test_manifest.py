"""The list of a copy: comes back as written, shows every damage, trusts no path."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflcolab.errors import FormatError, UnsafeFileError
from dflcolab.sync.manifest import (
    FileEntry,
    GenerationName,
    Manifest,
    ModelFacts,
    Span,
    Stored,
    from_json,
    safe_path,
    to_json,
)

_names = st.text(
    st.characters(blacklist_characters='/\\:*?"<>|', blacklist_categories=["Cs", "Cc"]),
    min_size=1,
    max_size=12,
).filter(lambda name: not name.startswith(".") and not name.endswith((" ", ".")))
_paths = st.lists(_names, min_size=1, max_size=4).map("/".join)
_hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
_objects = st.lists(
    st.builds(Stored, path=_paths, size=st.integers(0, 2**40), sha256=_hashes),
    max_size=4,
    unique_by=lambda stored: stored.path,
)


@st.composite
def _files(draw: st.DrawFn, objects: list[Stored]) -> tuple[FileEntry, ...]:
    found: list[FileEntry] = []
    for path in draw(st.sets(_names, max_size=4)):
        spans: list[Span] = []
        for stored in draw(st.lists(st.sampled_from(objects), max_size=2)) if objects else []:
            offset = draw(st.integers(0, stored.size))
            spans.append(Span(stored.path, offset, draw(st.integers(0, stored.size - offset))))
        size = sum(span.size for span in spans)
        found.append(
            FileEntry(path, size, draw(_hashes), draw(st.integers(0, 2**61)), tuple(spans))
        )
    return tuple(found)


@st.composite
def _manifests_of(draw: st.DrawFn) -> Manifest:
    objects = draw(_objects)
    return Manifest(
        name=draw(_generations),
        ancestors=tuple(draw(st.lists(st.text(max_size=30), max_size=3))),
        created=draw(st.text(max_size=30)),
        workspace=draw(st.text(max_size=30)),
        models=tuple(draw(st.lists(_facts, max_size=2))),
        objects=tuple(objects),
        files=draw(_files(objects)),
    )


_generations = st.builds(
    GenerationName,
    fence=st.integers(0, 10**9),
    number=st.integers(0, 10**9 - 1),
    client=st.text("0123456789abcdefxyz", min_size=8, max_size=8),
)
_facts = st.builds(
    ModelFacts,
    name=st.text(max_size=10),
    iteration=st.integers(0, 10**9),
    held_out_loss=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    pretraining=st.booleans(),
    scored_by=st.none() | st.text("0123456789abcdef", min_size=12, max_size=12),
)
_manifests = _manifests_of()


@given(_generations)
def test_a_name_comes_back_as_written(name: GenerationName):
    assert GenerationName.parse(str(name)) == name


def test_the_newest_is_that_of_the_highest_lease_then_the_highest_number():
    names = [GenerationName(2, 7, "aaaaaaaa"), GenerationName(1, 9, "bbbbbbbb")]
    names.append(GenerationName(2, 8, "00000000"))

    assert max(names).number == 8
    assert min(names).number == 9


@given(_manifests)
def test_it_comes_back_as_written(manifest: Manifest):
    assert from_json(to_json(manifest), source="m") == manifest


@given(_manifests, st.data())
def test_cut_anywhere_it_is_refused(manifest: Manifest, data: st.DataObject):
    whole = to_json(manifest)
    end = data.draw(st.integers(0, len(whole.rstrip()) - 1))  # the last line break carries nothing

    with pytest.raises(FormatError):
        from_json(whole[:end], source="m")


@given(_manifests, st.data())
def test_a_changed_byte_never_gives_another_copy(manifest: Manifest, data: st.DataObject):
    whole = bytearray(to_json(manifest))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] = data.draw(st.integers(0, 255))

    try:
        found = from_json(bytes(whole), source="m")
    except FormatError:
        return
    assert found == manifest  # white space may change without harm


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../up", "a/../../b", "a//b", "a/./b", "C:/x", "a\\b", "a\0b", ".hidden/x",
     "a/.hidden", "a/", "con\n", "trailing. ", "x/trailing.", None, 7, ["a"]],
)  # fmt: skip
def test_paths_that_leave_the_folder_are_refused(path: object):
    with pytest.raises(UnsafeFileError):
        safe_path(path, name="m")


@given(_paths)
def test_ordinary_paths_pass(path: str):
    assert safe_path(path, name="m") == path


_HASH = "0" * 64
_OBJECT = {"path": "packs/a.tar", "size": 10, "sha256": _HASH}


def _row(path: str, *spans: list[int], size: int | None = None) -> dict:
    total = sum(span[2] for span in spans) if size is None else size
    return {"path": path, "size": total, "sha256": _HASH, "mtime_ns": 0, "spans": list(spans)}


@pytest.mark.parametrize(
    "change",
    [
        {"format": "something else"},
        {"version": 1},
        {"version": 99},
        {"name": "latest"},
        {"objects": [_OBJECT, _OBJECT]},
        {"objects": [{**_OBJECT, "size": -1}]},
        {"objects": [{**_OBJECT, "size": True}]},
        {"objects": [{**_OBJECT, "path": "../a"}]},
        {"files": 3},
        {"files": [3]},
        {"files": [_row("a", [0, 0, 4]), _row("a", [0, 0, 4])]},
        {"files": [_row("a", [0, 0, 4]), _row("a/b", [0, 0, 4])]},
        {"files": [_row("a", [1, 0, 4])]},
        {"files": [_row("a", [0, 8, 4])]},
        {"files": [_row("a", [0, 0, 4], size=5)]},
        {"files": [_row("../a", [0, 0, 4])]},
    ],
    ids=str,
)
def test_nonsense_with_a_right_checksum_is_refused(change: dict):
    from dflcolab.sync.manifest import _checksum

    empty = Manifest(GenerationName(1, 1, "abcd0123"), (), "now", "w", (), (), ())
    content = json.loads(to_json(empty))
    content.pop("checksum")
    content |= {"objects": [_OBJECT], "files": [_row("a", [0, 2, 4])]}
    content["checksum"] = _checksum(content)
    assert from_json(
        json.dumps(content).encode(), source="m"
    ).files  # all that follows is the change
    content.pop("checksum")
    content.update(change)
    content["checksum"] = _checksum(content)

    with pytest.raises(FormatError):
        from_json(json.dumps(content).encode(), source="m")
