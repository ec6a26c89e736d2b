"""Where the program runs is told by what proves it, not by what can be imported."""

from __future__ import annotations

import pytest

from dflcolab.runtime.where import Place, Probes, Where, find_out

COLAB_SHELL = "google.colab._shell"
JUPYTER_SHELL = "ipykernel.zmqshell"


def ask(
    *,
    hosted: bool = False,
    shell: str | None = None,
    colab_importable: bool = False,
    environment: dict[str, str] | None = None,
    versions: dict[str, str] | None = None,
) -> Where:
    return find_out(
        Probes(
            exists=lambda path: hosted and path == "/var/colab/hostname",
            environment=environment or {},
            shell_module=lambda: shell,
            has_module=lambda name: colab_importable and name.startswith("google.colab"),
            version=(versions or {}).get,
        )
    )


def test_hosted_colab_can_mount_drive():
    where = ask(hosted=True, shell=COLAB_SHELL, colab_importable=True)

    assert where.place is Place.COLAB_HOSTED
    assert where.can_mount_drive
    assert where.managed
    assert where.colab_kernel


def test_a_command_in_a_cell_of_hosted_colab_knows_the_place_but_mounts_nothing():
    where = ask(hosted=True, colab_importable=True)

    assert where.place is Place.COLAB_HOSTED
    assert where.managed
    assert not where.can_mount_drive
    assert not where.in_notebook


@pytest.mark.parametrize("hosted", [True, False])
def test_colab_enterprise_has_no_drive(hosted: bool):
    where = ask(
        hosted=hosted,
        shell=COLAB_SHELL,
        colab_importable=True,
        environment={"VERTEX_PRODUCT": "COLAB_ENTERPRISE"},
    )

    assert where.place is Place.COLAB_ENTERPRISE
    assert not where.can_mount_drive
    assert where.managed


def test_googles_container_on_ones_own_machine_is_a_local_runtime():
    where = ask(shell=COLAB_SHELL, colab_importable=True)

    assert where.place is Place.COLAB_LOCAL
    assert not where.can_mount_drive
    assert not where.managed


def test_kaggle_is_kaggle_although_google_colab_is_importable():
    where = ask(
        shell=JUPYTER_SHELL,
        colab_importable=True,
        environment={"KAGGLE_KERNEL_RUN_TYPE": "Interactive"},
    )

    assert where.place is Place.KAGGLE
    assert not where.can_mount_drive


def test_plain_jupyter():
    where = ask(shell=JUPYTER_SHELL, versions={"ipykernel": "7.4.0"})

    assert where.place is Place.JUPYTER
    assert not where.managed
    assert where.in_notebook


def test_a_terminal_with_ipython_and_google_colab_installed_is_a_terminal():
    where = ask(colab_importable=True)

    assert where.place is Place.TERMINAL
    assert not where.in_notebook


@pytest.mark.parametrize(
    ("kernel", "widgets", "expected"),
    [("6.17.1", "7.7.1", (6, 7)), ("7.4.0", "8.1.9", (7, 8)), (None, None, (None, None))],
)
def test_generations_of_kernel_and_widgets(kernel, widgets, expected):
    versions = {"ipykernel": kernel, "ipywidgets": widgets} if kernel else {}
    where = ask(shell=JUPYTER_SHELL, versions=versions)

    assert (where.kernel_generation, where.widgets_generation) == expected


def test_this_very_process_is_a_terminal():
    assert find_out().place is Place.TERMINAL
