"""Amounts are asked, and advice follows from them."""

from __future__ import annotations

from pathlib import Path

from dflcolab.runtime.machine import Gpu, Machine, advice, look_at_machine

GB = 1 << 30


def test_gpus_come_from_the_drivers_table(tmp_path: Path):
    machine = look_at_machine(
        tmp_path / "not" / "yet", run=lambda _: "Tesla T4, 15360, 7.5\nNVIDIA L4, 23034, 8.9\n"
    )

    assert machine.gpus == (Gpu("Tesla T4", 15360, 7.5), Gpu("NVIDIA L4", 23034, 8.9))
    assert machine.cores >= 1
    assert machine.free_disk_bytes > 0


def test_a_driver_that_answers_nonsense_means_no_gpu():
    text = "NVIDIA-SMI has failed because it couldn't communicate, with\n, the driver"

    assert look_at_machine(run=lambda _: text).gpus == ()


def test_a_machine_without_gpu_is_told_what_works():
    machine = Machine(2, 12 * GB, 8 * GB, 50 * GB, ())

    (sentence,) = advice(machine)
    assert "extracting and merging work well" in sentence


def test_a_gpu_newer_than_tensorflow_is_named():
    machine = Machine(8, 48 * GB, 40 * GB, 90 * GB, (Gpu("RTX PRO 6000", 96000, 12.0),))

    assert "T4, L4, A100 or H100" in advice(machine)[0]


def test_little_room_is_told():
    machine = Machine(2, 12 * GB, GB, GB, (Gpu("Tesla T4", 15360, 7.5),))

    assert len(advice(machine)) == 2
