"""The order of faces keeps DeepFaceLab's rules, and yaw bins are its own."""

from __future__ import annotations

import numpy as np
import pytest

from dflcolab.training.sampler import Sampler, members_by_yaw
from tests.parity.vector_cases import Entry, entry_params, load_json, vector_files


@pytest.mark.parametrize("path", vector_files("imaging", "index", "*.json"))
def test_every_face_is_in_the_yaw_bin_of_deepfacelab(path):
    case = load_json(path)["uniform_yaw"]
    found = [members.tolist() for members in members_by_yaw(case["estimated_yaw"])]
    expected = sorted(case["bins"].items(), key=lambda item: int(item[0]))
    assert found == [members for _, members in expected]


@pytest.mark.parametrize("entry", entry_params("imaging", "index", "*.json", section="index_host"))
def test_a_stream_is_shuffled_rounds_cut_into_requests_of_any_size(entry: Entry):
    """Rounds end inside of requests, here as there; the shuffles themselves differ."""
    case = entry.value
    theirs = np.concatenate(case["result"])
    sampler, position, ours = Sampler(case["count"], [case["seed"]]), 0, []
    for size in case["requests"]:
        ours.append(sampler.take(position, size))
        position += size
    for stream in (theirs, np.concatenate(ours)):
        assert len(stream) == sum(case["requests"])
        for start in range(0, len(stream) - case["count"] + 1, case["count"]):
            a_round = stream[start : start + case["count"]]
            assert sorted(a_round) == list(range(case["count"]))
