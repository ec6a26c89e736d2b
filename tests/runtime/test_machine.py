"""Amounts are asked, never assumed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dflcolab.runtime.machine import Gpu, gpu_memory, look_at_machine


def test_gpus_come_from_the_drivers_table(tmp_path: Path):
    machine = look_at_machine(
        tmp_path / "not" / "yet", run=lambda _: "Tesla T4, 15360, 7.5\nNVIDIA L4, 23034, 8.9\n"
    )

    assert machine.gpus == (Gpu("Tesla T4", 15360, 7.5), Gpu("NVIDIA L4", 23034, 8.9))
    assert machine.cores >= 1
    assert machine.disk_bytes == shutil.disk_usage(tmp_path).total
    assert 0 < machine.free_disk_bytes <= machine.disk_bytes
    assert 0 < machine.free_memory_bytes <= machine.memory_bytes


def test_a_driver_that_answers_nonsense_means_no_gpu():
    text = "NVIDIA-SMI has failed because it couldn't communicate, with\n, the driver"

    assert look_at_machine(run=lambda _: text).gpus == ()


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("5120, 15360\n", (5120, 15360)),
        ("100, 24000\n200, 24000\n", (300, 48000)),
        ("", None),
        ("[N/A], 15360\n", None),
    ],
)
def test_memory_in_use_is_that_of_all_gpus(table: str, found: tuple[int, int] | None):
    assert gpu_memory(run=lambda _: table) == found
