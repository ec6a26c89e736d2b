"""The held-out part: whole stretches, nothing trained on beside them, the same for good."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dflcolab.errors import ConfigError
from dflcolab.faceset.held_out import HeldOutChoice, choose_held_out
from dflcolab.faceset.stretches import Stretch, blocks_of, frame_of, split_faces

SECOND = 25
"""Frames at which two of a video are no near-copies any more."""


def video(n: int, prefix: str = "", step: int = 1) -> list[str]:
    return [f"/{prefix}{1 + i * step:05d}.png" for i in range(n)]


def a_walk(n: int, seed: int = 0) -> np.ndarray:
    """`[n, 2]`: yaw and pitch of a head that turns slowly, radians."""
    steps = np.random.default_rng(seed).normal(0, 0.05, (n, 2))
    return np.sin(np.cumsum(steps, axis=0)) * [1.0, 0.4]


def chosen(keys, share=0.05, *, poses=None, **options) -> HeldOutChoice:
    return choose_held_out(
        keys, lambda: a_walk(len(keys)) if poses is None else poses, share, **options
    )


def unasked() -> np.ndarray:
    raise AssertionError("poses are asked for only where something is chosen")


VIDEOS = st.sampled_from(["/", "/2-", "x/"])
PHOTOS = st.lists(st.text("abcd", min_size=1, max_size=4), max_size=20)


@st.composite
def frames_of(draw, fewest: int = 50) -> list[tuple[str, int]]:
    """Runs of frames at several distances, that may overlap and hold a frame twice, in any order."""
    runs = st.tuples(VIDEOS, st.integers(0, 900), st.integers(1, 80), st.integers(1, 40))
    frames = [
        (name, first + i * step)
        for name, first, n, step in draw(st.lists(runs, min_size=1, max_size=8))
        for i in range(n)
    ]
    missing = fewest - len(set(frames))
    step = draw(st.integers(1, 40))
    frames += [("/", 5000 + i * step) for i in range(missing)]
    draw(st.randoms()).shuffle(frames)
    return frames


def named(frames, photos=()) -> list[str]:
    return [f"{folder}{number:05d}.png" for folder, number in frames] + [f"/{p}" for p in photos]


@settings(deadline=None)
@given(frames_of() | frames_of(0), PHOTOS, st.floats(0, 0.5), st.integers(0, 5))
def test_every_face_has_one_use_and_frames_stay_whole(frames, photos, share, seed):
    keys = named(frames, photos)
    split = split_faces(keys, chosen(keys, share, seed=seed).stretches)

    uses = (split.training, split.held_out, split.beside)
    assert sorted(index for use in uses for index in use) == list(range(len(keys)))
    assert all(list(use) == sorted(use) for use in uses)
    in_training, in_held_out, in_beside = ({keys[i] for i in use} for use in uses)
    assert not in_training & in_held_out
    assert not in_training & in_beside
    assert not in_held_out & in_beside
    assert not split.held_out or len(split.held_out) >= 8
    assert len(split.training) >= min(0.6, 1 - 1.2 * share) * len(keys)


@settings(deadline=None)
@given(frames_of(), st.floats(0.01, 0.5), st.integers(0, 5))
def test_nothing_is_trained_on_beside_a_held_out_frame(frames, share, seed):
    keys = named(frames)
    split = split_faces(keys, chosen(keys, share, seed=seed).stretches)

    everything, training = defaultdict(set), defaultdict(set)
    for index, key in enumerate(keys):
        everything[frame_of(key).video].add(frame_of(key).number)
        if index in split.training:
            training[frame_of(key).video].add(frame_of(key).number)
    for index in split.held_out:
        name, number, _ = frame_of(keys[index])
        assert not training[name] & set(range(number - 2, number + 3))
        # The next frame with a face is not trained on either, unless it is a second away.
        for nearest in (
            max((n for n in everything[name] if n < number), default=None),
            min((n for n in everything[name] if n > number), default=None),
        ):
            if nearest is not None and abs(nearest - number) <= SECOND:
                assert nearest not in training[name]


@settings(deadline=None)
@given(frames_of(), st.sampled_from([0.01, 0.05, 0.1]))
def test_fifty_different_frames_are_enough(frames, share):
    keys = named(dict.fromkeys(frames))
    choice = chosen(keys, share)
    split = split_faces(keys, choice.stretches)
    assert len(split.held_out) >= 8
    assert len(choice.stretches) >= 2
    assert len(split.training) >= 0.6 * len(keys)


def test_fewer_faces_or_faces_of_one_moment_are_too_few():
    assert chosen(video(49)).stretches == ()
    assert chosen(["/00001.png"] * 60).stretches == ()
    assert chosen([]).stretches == ()


@pytest.mark.parametrize(
    ("n", "step", "n_stretches", "held_out", "lost"),
    [
        # Faces, distance of their frames, and at least: stretches, and at most: parts of the faces
        # that are held out, and that training loses with those beside.
        (50, 1, 3, 0.18, 0.42),
        (50, 8, 3, 0.18, 0.42),
        (100, 1, 3, 0.16, 0.26),
        (100, 8, 3, 0.18, 0.26),
        (300, 1, 7, 0.12, 0.22),
        (300, 8, 8, 0.13, 0.19),
        (1000, 1, 12, 0.06, 0.11),
        (10_000, 1, 12, 0.055, 0.07),
    ],
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_how_much_training_loses(n, step, n_stretches, held_out, lost, seed):
    keys = video(n, step=step)
    choice = chosen(keys, poses=a_walk(n, seed), seed=seed)
    split = split_faces(keys, choice.stretches)
    assert len(choice.stretches) >= n_stretches
    assert max(0.05 * n, 8) <= len(split.held_out) <= held_out * n
    assert len(split.training) >= (1 - lost) * n
    counts = np.bincount([split.stretch[index] for index in split.held_out])
    assert counts.min() >= (3 if n <= 100 else 4)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.2, 0.3, 0.5])
def test_a_larger_share_is_kept_out_when_it_is_asked_for(share: float):
    keys = video(2000)
    split = split_faces(keys, chosen(keys, share).stretches)
    # Whole stretches are taken until the share is reached: an eighth of it at most too many. Half of
    # the faces leave no room between the stretches for all of them.
    assert (0.8 if share == 0.5 else 1) <= len(split.held_out) / (2000 * share) <= 1.12


@pytest.mark.parametrize("seed", range(10))
def test_all_poses_have_their_part_in_it(seed: int):
    n = 1000
    # The head looks left for most of the time, and rarely right or down.
    yaw = np.repeat([0.6, 0.0, -0.6], [700, 200, 100])
    pitch = np.tile(np.repeat([0.1, -0.4], [80, 20]), 10)
    poses = np.stack([yaw, pitch], axis=1) + a_walk(n, seed) * 0.02
    keys = video(n)

    split = split_faces(keys, chosen(keys, poses=poses, seed=seed).stretches)

    held_out = poses[list(split.held_out)]
    for column in (0, 1):
        # A stretch of four among 52 moves a mean by less than a tenth of the spread.
        apart = abs(held_out[:, column].mean() - poses[:, column].mean())
        assert apart < 0.35 * poses[:, column].std()
    assert (held_out[:, 0] < -0.4).sum() >= 4
    assert (held_out[:, 1] < -0.2).sum() >= 4


def test_the_choice_is_the_same_in_every_run_and_another_for_another_seed():
    keys = video(500) + video(300, "2-")
    first = chosen(keys)
    assert chosen(list(keys)) == first
    assert chosen(keys, seed=1) != first


def test_the_order_of_the_faces_does_not_matter():
    keys, poses = video(500), a_walk(500)
    backwards = chosen(keys[::-1], poses=poses[::-1])
    assert set(backwards.stretches) == set(chosen(keys, poses=poses).stretches)


@settings(deadline=None)
@given(frames_of(), frames_of(0), st.integers(1, 20))
def test_what_is_known_rules_whatever_comes_or_goes(frames, come, every):
    earlier = named(frames)
    known = chosen(earlier, 0.1)
    before = split_faces(earlier, known.stretches)
    assume(before.held_out)
    gone = set(earlier[::every]) if every > 1 else set()
    later = [key for key in earlier if key not in gone] + named(come)

    def use_of(keys, choice):
        split = split_faces(keys, choice.stretches)
        return [{keys[i] for i in use} for use in (split.training, split.held_out, split.beside)]

    now = choose_held_out(later, lambda: a_walk(len(later)), 0.1, known=known)

    trained, held_out, beside = use_of(earlier, known)
    trained_now, held_out_now, beside_now = use_of(later, now)
    assert not trained_now & (held_out | beside)
    assert not held_out_now & beside
    if len(held_out & set(later)) >= 8 and set(now.videos) == set(known.videos):
        assert now.stretches == known.stretches
        assert not held_out_now & trained
        assert not beside_now & trained


@pytest.mark.parametrize("n_added", [20, 100, 6000])
def test_a_new_video_gets_stretches_of_its_own(n_added: int):
    keys = video(600) + video(200, "2-")
    known = chosen(keys)
    more = video(n_added, "3-") + keys
    now = choose_held_out(more, lambda: a_walk(len(more)), 0.05, known=known)
    assert now.stretches[: len(known.stretches)] == known.stretches
    added = now.stretches[len(known.stretches) :]
    assert {stretch.video for stretch in added} == ({"/3-"} if n_added >= 50 else set())
    n_held_out = len(split_faces(video(n_added, "3-"), added).held_out)
    assert n_held_out >= (0.05 * n_added if n_added >= 50 else 0)
    assert choose_held_out(more, unasked, 0.05, known=now) == now


def test_nothing_is_chosen_anew_for_another_share():
    keys = video(600)
    known = chosen(keys, 0.05)
    assert choose_held_out(keys, unasked, 0.3, known=known) == known
    assert choose_held_out(keys, unasked, 0.0, known=known) == known


def test_where_nothing_was_held_out_a_later_run_may_choose():
    keys = video(600)
    none = chosen(keys, 0.0)
    assert none.stretches == ()
    now = choose_held_out(keys, lambda: a_walk(600), 0.05, known=none)
    assert len(now.stretches) >= 8
    assert now.share == 0.05


def test_of_four_videos_a_short_one_is_kept_out_whole():
    lengths = {"": 900, "2-": 400, "3-": 300, "4-": 20}
    keys = [key for prefix, n in lengths.items() for key in video(n, prefix)]
    choice = chosen(keys)
    assert Stretch.whole("/4-") in choice.stretches
    # The others are cut as ever.
    assert len(choice.stretches) >= 8
    three = [key for key in keys if not key.startswith("/2-")]
    assert all(len(blocks) != 20 for blocks in _held_out_by_video(three).values())


def _held_out_by_video(keys) -> dict[str, list[str]]:
    held_out: dict[str, list[str]] = defaultdict(list)
    for index in split_faces(keys, chosen(keys).stretches).held_out:
        held_out[frame_of(keys[index]).video].append(keys[index])
    return held_out


def test_every_large_video_has_its_part():
    keys = video(1000) + video(1000, "2-") + video(1000, "3-")
    counts = [len(found) for found in _held_out_by_video(keys).values()]
    assert len(counts) == 3
    assert min(counts) >= 30  # of about 50


def test_pictures_without_numbers_are_frames_of_their_own():
    keys = [f"{letter}{other}.jpg" for letter in "abcdefghij" for other in "klmnopqrst"]
    choice = chosen(keys, 0.1)
    split = split_faces(keys, choice.stretches)
    assert len(split.held_out) == len(choice.stretches) == 15
    assert split.beside == ()


def test_training_faces_have_stretches_that_no_held_out_one_parts():
    keys = video(600)
    split = split_faces(keys, chosen(keys).stretches)
    by_stretch = defaultdict(list)
    for index in split.training:
        by_stretch[split.stretch[index]].append(index)
    assert not set(by_stretch) & {split.stretch[index] for index in split.held_out}
    for members in by_stretch.values():
        assert members == list(range(members[0], members[-1] + 1))
        assert len(members) <= 8  # the held-out ones have four
    assert {split.stretch[index] for index in split.beside} == {-1}


@given(st.lists(st.integers(0, 40), min_size=1, max_size=100), st.integers(1, 12))
def test_blocks_are_long_enough_and_keep_frames_whole(numbers, length):
    frames = [frame_of(f"/{number:05d}.png") for number in numbers]
    blocks = blocks_of(frames, range(len(frames)), length)
    assert sorted(index for block in blocks for index in block) == list(range(len(frames)))
    assert len(blocks) == 1 or min(map(len, blocks)) >= length
    ends = [(min(numbers[i] for i in b), max(numbers[i] for i in b)) for b in blocks]
    assert all(one[1] < other[0] for one, other in itertools.pairwise(ends))


@pytest.mark.parametrize(
    ("key", "video_of_it", "number"),
    [
        ("/00012.png", "/", 12),
        ("/2-00012.png", "/2-", 12),
        ("anna/00012.png", "anna/", 12),
        ("00012_0.jpg", "/00012_", 0),
        ("/holiday-IMG_0012.jpg", "/holiday-IMG_", 12),
        ("/frame (12).png", "/frame (", 12),
        ("/portrait.jpg", "/portrait.jpg", 0),
        ("portrait.jpg", "/portrait.jpg", 0),
        ("/1234567890123456.png", "/1234567890123456.png", 0),
    ],
)
def test_a_frames_video_and_number(key: str, video_of_it: str, number: int):
    assert frame_of(key)[:2] == (video_of_it, number)


def test_a_choice_outlives_json():
    keys = [key for n in range(4) for key in video([300, 90, 80, 8][n], f"{n + 1}-")]
    choice = chosen(keys)
    plain = json.loads(json.dumps([choice.to_plain(), [s.to_plain() for s in choice.stretches]]))
    assert HeldOutChoice.from_plain(*plain) == choice


@pytest.mark.parametrize("share", [-0.1, 0.6, float("nan")])
def test_a_share_out_of_range_is_refused(share: float):
    with pytest.raises(ConfigError, match="out of range"):
        chosen(video(100), share)
