"""The held-out part: whole stretches, the same in every run."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflcolab.errors import ConfigError
from dflcolab.faceset.held_out import split_held_out


def video(n: int, prefix: str = "", step: int = 1) -> list[str]:
    return [f"{prefix}{1 + i * step:05d}.png" for i in range(n)]


def runs(indices: list[int]) -> list[int]:
    """Lengths of the stretches of neighbouring indices."""
    groups = itertools.groupby(enumerate(indices), key=lambda pair: pair[1] - pair[0])
    return [len(list(group)) for _, group in groups]


@given(
    st.lists(st.tuples(st.sampled_from(["", "2-", "x/"]), st.integers(0, 3000)), max_size=400),
    st.floats(0, 0.5),
    st.integers(0, 5),
)
def test_every_face_is_on_one_side_and_frames_stay_whole(frames, share, seed):
    keys = [f"{prefix}{number:05d}.png" for prefix, number in frames]
    training, held_out = split_held_out(keys, share, seed=seed)
    assert sorted(training + held_out) == list(range(len(keys)))
    assert training == sorted(training)
    assert held_out == sorted(held_out)
    assert not {keys[i] for i in training} & {keys[i] for i in held_out}
    assert len(held_out) <= max(0.3, share) * len(keys)
    assert not held_out or len(held_out) >= 8


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1, 0.2])
@pytest.mark.parametrize("n", [200, 1000, 7000])
def test_the_share_is_about_the_wanted_one_in_long_stretches(n: int, share: float):
    _, held_out = split_held_out(video(n), share)
    assert max(share * n, 8) <= len(held_out) <= 1.6 * max(share * n, 8) + 8
    # Border stretches of a video may be short.
    assert sum(length >= 8 for length in runs(held_out)) >= len(runs(held_out)) - 2


def test_frames_taken_at_a_lower_rate_make_stretches_too():
    _, held_out = split_held_out(video(600, step=6), 0.1)
    assert min(runs(held_out)) >= 4
    assert len(held_out) >= 60


def test_the_choice_is_the_same_in_every_run_and_another_for_another_seed():
    keys = video(500) + video(300, "2-")
    first = split_held_out(keys, 0.1)
    assert split_held_out(list(keys), 0.1) == first
    assert split_held_out(keys, 0.1, seed=1) != first


def test_the_order_of_the_faces_does_not_matter():
    keys = video(500)
    _, held_out = split_held_out(keys, 0.1)
    _, backwards = split_held_out(keys[::-1], 0.1)
    assert {keys[::-1][i] for i in backwards} == {keys[i] for i in held_out}


def test_a_few_faces_fewer_hardly_change_the_choice():
    keys = video(1000)
    fewer = [key for i, key in enumerate(keys) if i % 50]
    before = {keys[i] for i in split_held_out(keys, 0.05)[1]}
    after = {fewer[i] for i in split_held_out(fewer, 0.05)[1]}
    assert len(before & after) >= 0.9 * len(after)


@pytest.mark.parametrize("n_added", [20, 100, 1000, 6000])
def test_another_video_leaves_the_choice_among_the_others_as_it_was(n_added: int):
    keys = video(2400) + video(800, "2-")
    before = {keys[i] for i in split_held_out(keys, 0.05)[1]}

    more = keys + video(n_added, "3-")
    after = {more[i] for i in split_held_out(more, 0.05)[1]}

    assert {key for key in after if not key.startswith("3-")} == before
    assert len(after) >= 0.05 * len(more)


def test_sets_of_photos_hardly_move_each_others_choice():
    keys = [key for name in "abcdefghij" for key in video(40, f"{name}-IMG_")]
    before = {keys[i] for i in split_held_out(keys, 0.1)[1]}

    more = keys + video(40, "k-IMG_")
    after = {more[i] for i in split_held_out(more, 0.1)[1]}

    # The share grows by one tenth, so one more stretch may come in or be left out.
    assert len(before - after) <= 8
    assert len({key for key in after if not key.startswith("k-")} - before) <= 8


def test_a_small_faceset_keeps_eight_faces_out_or_none():
    assert len(split_held_out(video(60), 0.05)[1]) >= 8
    assert split_held_out(video(20), 0.05)[1] == []
    assert split_held_out([], 0.05) == ([], [])


def test_pictures_without_numbers_are_frames_of_their_own():
    keys = [f"{letter}{other}.jpg" for letter in "abcdefghij" for other in "klmnopqrst"]
    _, held_out = split_held_out(keys, 0.1)
    assert len(held_out) == 10


def test_a_share_of_nothing_keeps_nothing_out():
    assert split_held_out(video(100), 0.0) == (list(range(100)), [])


@pytest.mark.parametrize("share", [-0.1, 0.6, float("nan")])
def test_a_share_out_of_range_is_refused(share: float):
    with pytest.raises(ConfigError, match="out of range"):
        split_held_out(video(100), share)
