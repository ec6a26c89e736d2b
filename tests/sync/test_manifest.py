"""The list of a copy: comes back as written, shows every damage, trusts no path."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflcolab.errors import FormatError, UnsafeFileError
from dflcolab.sync.manifest import Entry, Manifest, Part, from_json, safe_path, to_json

_names = st.text(
    st.characters(blacklist_characters='/\\:*?"<>|', blacklist_categories=["Cs", "Cc"]),
    min_size=1,
    max_size=12,
).filter(lambda name: not name.startswith(".") and not name.endswith((" ", ".")))
_paths = st.lists(_names, min_size=1, max_size=4).map("/".join)
_parts = st.builds(
    Part,
    stored=_paths,
    size=st.integers(0, 2**40),
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
)
_entries = st.one_of(
    st.builds(Entry, path=_paths, kind=st.just("file"), parts=st.tuples(_parts)),
    st.builds(
        Entry,
        path=_paths,
        kind=st.just("pack"),
        parts=st.lists(_parts, max_size=3).map(tuple),
        n_files=st.integers(0, 10**6),
    ),
)
_manifests = st.builds(
    Manifest,
    generation=st.integers(0, 10**9),
    created=st.text(max_size=30),
    workspace=st.text(max_size=30),
    entries=st.lists(_entries, max_size=5, unique_by=lambda entry: entry.path).map(tuple),
)


@given(_manifests)
def test_it_comes_back_as_written(manifest: Manifest):
    assert from_json(to_json(manifest), name="m") == manifest


@given(_manifests, st.data())
def test_cut_anywhere_it_is_refused(manifest: Manifest, data: st.DataObject):
    whole = to_json(manifest)
    end = data.draw(st.integers(0, len(whole) - 1))

    with pytest.raises(FormatError):
        from_json(whole[:end], name="m")


@given(_manifests, st.data())
def test_a_changed_byte_never_gives_another_copy(manifest: Manifest, data: st.DataObject):
    whole = bytearray(to_json(manifest))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] = data.draw(st.integers(0, 255))

    try:
        found = from_json(bytes(whole), name="m")
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


@pytest.mark.parametrize(
    "change",
    [
        {"format": "something else"},
        {"version": 99},
        {"generation": -1},
        {"generation": True},
        {"entries": 3},
        {"entries": [3]},
        {"entries": [{"path": "a", "kind": "link", "parts": [], "n_files": 1}]},
        {"entries": [{"path": "a", "kind": "file", "parts": [], "n_files": 1}]},
    ],
    ids=str,
)
def test_nonsense_with_a_right_checksum_is_refused(change: dict):
    from dflcolab.sync.manifest import _checksum

    content = json.loads(to_json(Manifest(1, "now", "w", ())))
    content.pop("checksum")
    content.update(change)
    content["checksum"] = _checksum(content)

    with pytest.raises(FormatError):
        from_json(json.dumps(content).encode(), name="m")
