"""Faces are gathered by stretch, and a look read from its line is the look that was written."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.watch.looks import Look, Sample, sample_of

_VALUES = st.floats(-1e6, 1e6, allow_nan=False, width=32)


def test_faces_are_gathered_by_stretch_and_weigh_alike_in_the_mean():
    sample = sample_of([1, 5, 3, 10], [7, 2, 7, 7])
    assert sample == Sample((5.0, 4.666667), (1, 3))
    assert sample.mean == pytest.approx(19 / 4, rel=1e-6)  # means keep seven digits


def test_a_group_without_faces_has_no_mean():
    assert math.isnan(sample_of([], []).mean)


@settings(deadline=None)
@given(st.lists(st.tuples(_VALUES, st.integers(0, 5)), min_size=1, max_size=40))
def test_the_mean_over_stretches_is_the_mean_over_faces(faces: list[tuple[float, int]]):
    values, stretches = zip(*faces, strict=True)
    largest = max(abs(value) for value in values)
    sample = sample_of(values, stretches)
    assert sum(sample.counts) == len(faces)
    assert abs(sample.mean - np.mean(values)) <= 1e-6 * largest + 1e-12  # seven digits


@settings(deadline=None)
@given(st.lists(st.tuples(_VALUES, st.integers(0, 5)), max_size=40))
def test_a_look_read_from_its_line_is_the_same(faces: list[tuple[float, int]]):
    sample = sample_of([v for v, _ in faces], [s for _, s in faces])
    look = Look(500, "warp", "abc", {"src/held_out/loss": sample})
    assert Look.from_plain(json.loads(json.dumps(look.to_plain(), allow_nan=False))) == look


def test_what_is_no_number_is_written_as_json_can_hold_it():
    look = Look(1, "gan", "x", {"dst/training/psnr": Sample((math.nan, 2.0), (1, 1))})
    plain = json.loads(json.dumps(look.to_plain(), allow_nan=False))
    means = Look.from_plain(plain).measures["dst/training/psnr"].means
    assert math.isnan(means[0])
    assert means[1] == 2.0
