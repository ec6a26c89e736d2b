"""The content guard on dst footage: asked once, never passed over."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dflcolab.detection import guard
from dflcolab.detection.guard import GuardVerdict
from dflcolab.errors import ContentGuardError
from dflcolab.merging import content_check
from dflcolab.merging.content_check import check_content
from dflcolab.merging.frame_source import VideoFrames
from dflcolab.progress import Progress


class _Guard:
    """Stands in for the classifier; harmless footage is judged by the real one elsewhere."""

    def __init__(self, score: float) -> None:
        self.score = score
        self.seen: list[int] = []

    def __call__(self, frames) -> GuardVerdict:
        images = list(frames)
        self.seen.append(len(images))
        assert all(image.dtype == np.uint8 for image in images)
        return GuardVerdict(self.score < 0.8, self.score, self.score, len(images))


@pytest.fixture
def footage(clips) -> VideoFrames:
    return VideoFrames([(clips["dst"], "")])


def _guard(monkeypatch: pytest.MonkeyPatch, score: float) -> _Guard:
    judge = _Guard(score)
    monkeypatch.setattr(content_check, "check_frames", judge)
    return judge


def test_allowed_footage_is_judged_once(monkeypatch, footage, tmp_path: Path):
    judge = _guard(monkeypatch, 0.1)
    path = tmp_path / "history" / "content_guard.json"

    check_content(footage, path, progress=Progress())
    check_content(footage, path, progress=Progress())

    assert judge.seen == [40]
    assert json.loads(path.read_text())["verdicts"]


def test_refused_footage_is_refused_again_without_looking(monkeypatch, footage, tmp_path: Path):
    judge = _guard(monkeypatch, 0.95)
    path = tmp_path / "content_guard.json"

    for _ in range(2):
        with pytest.raises(ContentGuardError, match=r"webcam_man\.mp4.*explicit"):
            check_content(footage, path, progress=Progress())

    assert len(judge.seen) == 1


def test_what_the_classifier_itself_scores_too_high_is_refused(
    monkeypatch, footage, tmp_path: Path
):
    """Nothing explicit is at hand, so the limit comes down to what ordinary footage scores."""
    monkeypatch.setattr(guard, "REFUSED_SCORE", 0.05)

    with pytest.raises(ContentGuardError, match=r"score 0\.06, the limit is 0\.05"):
        check_content(footage, tmp_path / "content_guard.json", progress=Progress())


def test_other_footage_is_judged_anew(monkeypatch, footage, clips, tmp_path: Path):
    judge = _guard(monkeypatch, 0.1)
    path = tmp_path / "content_guard.json"

    check_content(footage, path, progress=Progress())
    check_content(VideoFrames([(clips["src"], "")]), path, progress=Progress())

    assert len(judge.seen) == 2


def test_a_damaged_file_of_verdicts_means_looking_again(monkeypatch, footage, tmp_path: Path):
    judge = _guard(monkeypatch, 0.1)
    path = tmp_path / "content_guard.json"
    path.write_text('{"version": 1, "verdicts": {"')

    check_content(footage, path, progress=Progress())

    assert len(judge.seen) == 1


def test_a_video_that_ends_before_its_first_sampled_frame_is_still_looked_at(
    monkeypatch, footage, tmp_path: Path
):
    judge = _guard(monkeypatch, 0.1)
    names = [f"{number:05d}" for number in range(1, 100_000)]
    monkeypatch.setattr(VideoFrames, "stems", property(lambda self: names))

    verdict = check_content(footage, tmp_path / "content_guard.json", progress=Progress())

    assert verdict.n_frames > 0
    assert judge.seen == [0, 40]
