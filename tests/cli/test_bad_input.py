"""What users do wrong or suffer, verb by verb: one sentence, exit code 1, nothing lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import CommandLine


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")}


@pytest.mark.parametrize(
    "words",
    [
        ["extract", "--side", "src"],
        ["frames", "--side", "dst"],
        ["sort", "--side", "src", "--by", "face-yaw"],
        ["clean", "--side", "src", "--blur"],
        ["pack", "--side", "src"],
        ["mask", "stats", "--side", "src"],
        ["train", "--model", "a", "--preset", "tiny", "--target-iter", "1"],
        ["merge", "--model", "a"],
        ["encode"],
    ],
    ids=lambda words: words[0],
)
def test_an_empty_side_is_one_sentence(cli: CommandLine, tmp_path: Path, words: list[str]):
    root = tmp_path / "w"
    cli.report("init", "-w", root, "--src-rights", "self", "--dst-rights", "self")

    sentence = cli.refusal(words[0], *words[1:], "-w", root)

    assert any(word in sentence for word in ("data_", "--src", "--dst", "model"))


def test_a_video_that_is_none_is_refused_by_name(cli: CommandLine, tmp_path: Path):
    fake = tmp_path / "holiday.mp4"
    fake.write_text("This is no video.")

    assert "holiday.mp4" in cli.refusal("init", "-w", tmp_path / "w", "--src", fake)


@pytest.mark.parametrize("verb", ["extract", "frames"])
def test_a_video_that_is_none_in_the_workspace(cli: CommandLine, tmp_path: Path, verb: str):
    root = tmp_path / "w"
    cli.report("init", "-w", root)
    (root / "data_src.mp4").write_bytes(b"\x00" * 5000)

    assert "data_src.mp4" in cli.refusal(verb, "-w", root, "--side", "src")


def test_a_truncated_video_is_used_as_far_as_it_goes(cli: CommandLine, tmp_path: Path, clips):
    root = tmp_path / "w"
    cli.report("init", "-w", root)
    # Matroska states its length in front and needs no index, so half of it plays.
    whole = tmp_path / "whole.mkv"
    subprocess.run([sys.executable, "-c", _REMUX, str(clips["dst"]), str(whole)], check=True)
    data = whole.read_bytes()
    (root / "data_src.mkv").write_bytes(data[: len(data) * 6 // 10])

    report = cli.report("extract", "-w", root, "--side", "src", "--size", "256")

    assert 20 < report["frames_with_face"] < 72
    assert any("data_src.mkv" in problem for problem in report["problems"])


_REMUX = """
import sys, av
with av.open(sys.argv[1]) as source, av.open(sys.argv[2], "w", format="matroska") as target:
    stream = source.streams.video[0]
    copy = target.add_stream_from_template(stream)
    for packet in source.demux(stream):
        if packet.dts is not None:
            packet.stream = copy
            target.mux(packet)
"""


def test_a_truncated_mp4_without_its_index_is_refused(cli: CommandLine, tmp_path: Path, clips):
    root = tmp_path / "w"
    cli.report("init", "-w", root)
    data = clips["src"].read_bytes()
    (root / "data_src.mp4").write_bytes(data[: len(data) // 2])

    done = cli("extract", "-w", root, "--side", "src", "--size", "256", "--json")

    # Where the index (moov) leads the file, half of it decodes; where it trails, nothing does.
    assert "Traceback" not in done.stderr
    if done.returncode == 0:
        assert "data_src.mp4" in done.stdout
    else:
        assert done.returncode == 1
        assert "data_src.mp4" in done.stderr


def test_a_corrupt_picture_is_named_and_skipped(cli: CommandLine, tmp_path: Path, clips):
    root = tmp_path / "w"
    cli.report("init", "-w", root, "--src", clips["dst"])
    cli.report("frames", "-w", root, "--side", "src", "--ext", "jpg", "--fps", "3")
    frames = sorted((root / "data_src").glob("*.jpg"))
    frames[2].write_bytes(frames[2].read_bytes()[:200])
    frames[3].write_text("no picture")

    report = cli.report("extract", "-w", root, "--side", "src", "--frames", "--size", "256")

    assert report["frames_with_face"] == len(frames) - 2
    for bad in frames[2:4]:
        assert any(bad.name in problem for problem in report["problems"])


def test_no_face_at_all_is_one_sentence(cli: CommandLine, tmp_path: Path):
    import cv2
    import numpy as np

    root = tmp_path / "w"
    cli.report("init", "-w", root)
    noise = np.random.default_rng(0).integers(90, 110, (240, 320, 3), dtype=np.uint8)
    for number in range(3):
        cv2.imwrite(str(root / "data_src" / f"{number:05d}.png"), noise)

    sentence = cli.refusal("extract", "-w", root, "--side", "src")

    assert "no face" in sentence.lower()


def test_merge_needs_the_rights(cli: CommandLine, trained_workspace: Path):
    text = (trained_workspace / "workspace.toml").read_text()
    (trained_workspace / "workspace.toml").write_text(text.split("[rights")[0])

    sentence = cli.refusal("merge", "-w", trained_workspace, "--model", "tiny")

    assert "--src-rights" in sentence
    assert not list((trained_workspace / "data_dst" / "merged").glob("*.png"))


def test_another_architecture_is_not_forced_on_a_trained_model(
    cli: CommandLine, trained_workspace: Path
):
    before = _names(trained_workspace / "model")

    sentence = cli.refusal("train", "-w", trained_workspace, "--model", "tiny", "--preset", "tiny",
                           "--set", "archi=df-udt", "--target-iter", "8")  # fmt: skip

    assert "archi" in sentence
    assert _names(trained_workspace / "model") == before


def test_an_unknown_option_names_the_nearest(cli: CommandLine, face_workspace: Path):
    sentence = cli.refusal("train", "-w", face_workspace, "--model", "a", "--preset", "tiny",
                           "--set", "batchsize=4")  # fmt: skip

    assert "batch_size" in sentence


def test_a_range_behind_the_last_frame_is_refused(cli: CommandLine, trained_workspace: Path):
    sentence = cli.refusal("merge", "-w", trained_workspace, "--model", "tiny", "--frames", "900:")

    assert "900:" in sentence


def test_one_model_is_trained_by_one_process(cli: CommandLine, face_workspace: Path):
    words = [sys.executable, "-m", "dflcolab", "train", "-w", str(face_workspace), "--model", "a",
             "--preset", "tiny", "--quiet"]  # fmt: skip
    first = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    try:
        lock = face_workspace / "model" / ".a.lock"
        while not lock.exists():
            assert first.poll() is None
            time.sleep(0.05)

        assert "Another process" in cli.refusal(
            "train", "-w", face_workspace, "--model", "a", "--preset", "tiny"
        )
    finally:
        first.kill()
        first.wait()


def test_a_model_that_does_not_exist_is_one_sentence(cli: CommandLine, face_workspace: Path):
    assert "nosuch" in cli.refusal("merge", "-w", face_workspace, "--model", "nosuch")


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("extract", ["--side", "src"]),
        ("frames", ["--side", "dst"]),
        ("train", ["--model", "b", "--preset", "tiny", "--target-iter", "2"]),
        ("merge", ["--model", "tiny"]),
        ("init", ["--dst", "CLIP"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_full_disk_is_one_sentence_and_loses_nothing(
    cli: CommandLine, trained_workspace: Path, tmp_path: Path, clips, verb: str, words: list[str]
):
    size = sum(path.stat().st_size for path in trained_workspace.rglob("*") if path.is_file())
    small = tmp_path / "small"
    small.mkdir()
    if verb == "extract":
        shutil.rmtree(trained_workspace / "data_src")
        (trained_workspace / "data_src").mkdir()
        size = sum(path.stat().st_size for path in trained_workspace.rglob("*") if path.is_file())
    words = [str(clips["src"]) if word == "CLIP" else word for word in words]
    copy = (
        f"mount -t tmpfs -o size={size // 1024 + 900}k tmpfs {small} && "
        f"cp -r {trained_workspace} {small}/w && "
        f"{sys.executable} -m dflcolab {verb} -w {small}/w --quiet {' '.join(words)}; "
        f"code=$?; find {small}/w -type f | sort; exit $code"
    )
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("this system does not let a user mount a small disk of his own")

    done = subprocess.run(["unshare", "-rm", "sh", "-c", copy], capture_output=True, text=True)

    assert done.returncode == 1, done.stderr
    assert "full" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    left = {Path(line).name for line in done.stdout.splitlines()}
    assert {path.name for path in trained_workspace.rglob("*") if path.is_file()} <= left
    assert not [name for name in left if ".tmp" in name]


def test_names_that_are_no_text_or_break_the_line(cli: CommandLine, face_workspace: Path):
    folder = face_workspace / "data_src" / "aligned"
    data = next(folder.glob("*.jpg")).read_bytes()
    (folder / os.fsdecode(b"odd\xff.jpg")).write_bytes(data[:700])
    (folder / "two\nlines.jpg").write_bytes(data[:700])

    report = cli.report("mask", "stats", "-w", face_workspace, "--side", "src")

    problems = " ".join(report["problems"])
    assert "odd\udcff.jpg" in problems
    assert "two\nlines.jpg" in problems
    pack = folder / "faceset.pak"
    pack.write_bytes(b"no pack")
    renamed = face_workspace.with_name("two\nlines")
    face_workspace.rename(renamed)
    assert "two\\nlines" in cli.refusal("unpack", "-w", renamed, "--side", "src")
