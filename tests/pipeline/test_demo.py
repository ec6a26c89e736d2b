"""The demo end to end with a handful of iterations: a whole video, and going on after a stop."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest

from dflcolab.media.provenance import read_provenance
from tests.conftest import CommandLine

pytestmark = pytest.mark.slow


def _sound(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def _frame_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0)]


def test_the_demo_makes_a_video_and_goes_on_after_a_stop(cli: CommandLine, tmp_path: Path, clips):
    out = tmp_path / "demo"
    words = [sys.executable, "-m", "dflcolab", "demo", "--out", str(out), "--iterations", "10"]
    first = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    started = time.monotonic()
    while not list((out / "model").glob("demo/ckpt-*")) and time.monotonic() - started < 300:
        assert first.poll() is None, first.stderr.read() if first.stderr else ""
        time.sleep(0.1)
    first.send_signal(signal.SIGINT)
    assert first.wait(timeout=120) == 130
    assert not (out / "result.mp4").exists()

    report = cli.report("demo", "--out", out, "--iterations", 10)

    assert report["iterations"] == 10
    source, result = clips["dst"], out / "result.mp4"
    assert _frame_times(result) == pytest.approx(_frame_times(source), abs=1e-4)
    assert _sound(result) == _sound(source)
    provenance = read_provenance(result)
    assert provenance is not None
    assert provenance.state in ("valid", "trusted")
    for name in ("report.html", "preview.jpg", "result.mp4"):
        assert (out / name).stat().st_size > 10_000
    page = (out / "report.html").read_text()
    assert "held-out" in page
    stages = json.loads((out / "history" / "demo.json").read_text())
    assert all(stage["done"] for stage in stages.values())

    again = cli.report("demo", "--out", out, "--iterations", 10)

    assert again["iterations"] == 10
