"""The page of bad days and the code say the same: no row without a test, no message without a row."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.troubleshooting.in_code import Message, messages_of
from tests.troubleshooting.page import PAGE, Row, rows
from tests.troubleshooting.said import listening, said

TESTS = Path(__file__).parents[1]

# Modules whose messages come on a bad day.
AREAS = (
    "files.py",
    "cli/main.py",
    "cli/safely.py",
    "detection/guard.py",
    "detection/models.py",
    "engine/*.py",
    "extraction/extractor.py",
    "extraction/journal.py",
    "extraction/side_sources.py",
    "faceset/face*.py",
    "faceset/folder_*.py",
    "faceset/renaming.py",
    "formats/dfl_jpeg.py",
    "formats/faceset_pak.py",
    "formats/jpeg_segments.py",
    "formats/pak_head.py",
    "formats/restricted_pickle.py",
    "media/container.py",
    "media/decoding.py",
    "media/frame_sequence.py",
    "media/probe.py",
    "media/sound.py",
    "media/timeline.py",
    "media/video_*.py",
    "merging/frame_source.py",
    "merging/merger.py",
    "merging/networks.py",
    "merging/preview.py",
    "pipeline/background_push.py",
    "pipeline/bring_in.py",
    "pipeline/doctor*.py",
    "pipeline/encode*.py",
    "pipeline/extract.py",
    "pipeline/extract_steps.py",
    "pipeline/fetch.py",
    "pipeline/frames.py",
    "pipeline/init.py",
    "pipeline/model_restore.py",
    "pipeline/newest_state.py",
    "pipeline/sync.py",
    "pipeline/train.py",
    "pipeline/undo_switch.py",
    "runtime/*.py",
    "sync/*.py",
    "training/*.py",
    "watch/records.py",
    "transfer/*.py",
    "workspace/*.py",
)

# How messages of these modules begin that are no bad day, by the reason.
NO_BAD_DAY: dict[str, tuple[str, ...]] = {
    "says what was done or how things are": (
        "…: … iterations in … s",
        "…; … cores, … GB of memory",
        "… holds … now: …; every byte was compared.",
        "… holds faces of … frames from another program; those frames are left alone.",
        "Batch … was measured",
        "DeepFaceLab's model … is in model/",
        "Fetched … (… MB, SHA-256 …)",
        "No copy on … uses … (…) any more",
        "… is not on this machine any more; the workspace has its copy",
        "Its copy: My Drive/…",
        "No storage is connected; the workspace is in …",
        "No workspace has a copy there yet",
        "Nothing of it is on … yet",
        "There is no next phase",
        "… cannot be seen in a single frame",
        "The bundled detector and landmark networks run on the CPU",
        "The Drive mount has every byte",
        "There is a model … already; training goes on with it",
        "There is no model of DeepFaceLab in the workspace; training begins a new one",
        "XLA is no faster",
        "XLA is tried once",
        "… is at iteration … already; …",
        "… is back at iteration … (it was at …)",
        "… was fetched … and is used again",
        "dflcolab … is available",
    ),
    "asks for a choice, or explains one": (
        "Choose in this cell's form and run it again",
        "Google's rules for managed Colab machines",
        "Not yet recorded: on what basis the likeness of … is used",
        "Its pretraining is done",
        "The … minutes of this run are over",
        "The faces of … are packed and stay as they are",
        "… is running; the cell “Train” shows it",
        "lossless counts for …",
        "… holds … pictures of dst, so they are merged, into single frames",
        "The pictures in … were taken and … was not read",
        "This software makes pictures of real people",
        "Whose faces are wanted",
        "… (…) is too large for this page",
        "… is too large to pass through the browser",
        "… lies outside of this notebook's folder",
        "… …, so DeepFaceLab itself cannot read it",
    ),
    "options that contradict each other, or the model": (
        "--from names nothing",
        "Pictures cannot be written as …",
        "Quick96 knows no pretraining",
        "… is a … model; leave out --arch",
        "… is a folder and has no SHA-256",
        "… is already trained on src and dst",
        "… was made with … = … and cannot go on",
    ),
    "a mistake of a program that calls this one": (
        "Frame … for … comes at … s",
        "The metadata of … cannot be stored",
    ),
    "is caught on the way, or ends a thread whose reason another message tells": (
        "Another process fetches …; wait until it is ready.",
        "Merging stopped because of another error.",
        "The copy was given up",
        "… cannot be reached (…).",
    ),
    "part of a longer message that has its row": (
        " The GPU is not supported by this TensorFlow",
        "Google limits this file for now",
        "it is not safe to unpack",
        "… cannot be fetched; ….",
        "… has no usable name",
        "… names an absolute path",
        "…: …; please report it.",
    ),
}
_BEGINNINGS = tuple(beginning for group in NO_BAD_DAY.values() for beginning in group)


def area_messages() -> Iterator[Message]:
    """What a user may read: refusals but for wrong options, and sentences with a remedy."""
    for message in messages_of(*AREAS):
        if message.error == "ConfigError":
            continue
        if (message.error and message.is_sentence) or message.names_a_remedy:
            yield message


def is_told_by(message: Message, row: Row) -> bool:
    """The row says what the code says, perhaps with some of the `…` filled in."""
    return message.text == row.message or (
        len(re.findall("[A-Za-z]{3,}", message.text)) > 3
        and Row("", message.text, "", "").tells(row.message)
    )


def is_part_of(message: Message, row: Row) -> bool:
    """The row holds what the code says, and another text around it."""
    return (
        len(re.findall("[A-Za-z]{3,}", message.text)) > 3
        and message.text.strip("….") in row.message
    )


def marked_rows() -> Counter[str]:
    """How many tests say that they produce a row, by the row's name."""
    found: Counter[str] = Counter()
    for path in TESTS.rglob("test_*.py"):
        text = path.read_text(encoding="utf-8")
        if "bad_day(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name == "bad_day":
                found.update(str(ast.literal_eval(argument)) for argument in node.args)
    return found


def test_every_row_has_a_name_of_its_own_a_cause_and_a_remedy():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("|") and "---" not in line]
    assert len(rows()) == len(table) - table.count("| message | cause | what to do |")
    assert [name for name, n in Counter(row.name for row in rows()).items() if n > 1] == []
    assert [row.name for row in rows() if not (row.cause.strip() and row.remedy.strip())] == []


def test_every_row_is_produced_by_a_test():
    named = {row.name for row in rows()}
    assert named - set(marked_rows()) == set()
    assert set(marked_rows()) - named == set()


def test_every_message_of_a_bad_day_has_a_row():
    missing = {
        f"{message.module}:{message.line}: {message.text}"
        for message in area_messages()
        if not message.text.startswith(_BEGINNINGS)
        and not any(is_told_by(message, row) for row in rows())
    }
    assert sorted(missing) == []


def test_every_row_and_every_exception_is_in_the_code():
    texts = {message.text for message in messages_of("**/*.py")}
    patterns = [Message("", 0, text, None) for text in texts]
    strange = [
        row.name
        for row in rows()
        if row.message not in texts
        and not any(is_told_by(m, row) or is_part_of(m, row) for m in patterns)
    ]
    assert strange == []
    begun = [message.text for message in area_messages()]
    assert [b for b in _BEGINNINGS if not any(text.startswith(b) for text in begun)] == []


def test_a_changed_word_is_noticed():
    row = Row("name", "The disk of … is full; free some space.", "", "")
    assert row.tells("The disk of /tmp is full; free some space.")
    assert not row.tells("The disk of /tmp is full; free some room.")
    assert not row.tells("dflcolab: The disk of /tmp is full; free some space.")
    with listening() as heard:
        said("one")
        ValueError("not ours")
        assert heard.texts() == ["one"]


@pytest.mark.parametrize("guide", ["README.md", "docs/guide.md"])
def test_readers_find_the_page(guide: str):
    assert "troubleshooting.md" in (TESTS.parent / guide).read_text(encoding="utf-8")
