"""The notebook runs from top to bottom, first in plain Jupyter, then on a stand-in for hosted Colab.

The second run begins on an empty machine and finds the first one's work on the storage.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from dflcolab.files import sha256_of

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "dflcolab.ipynb"
STAND_IN = Path(__file__).parent / "stand_in"

pytestmark = [pytest.mark.notebook, pytest.mark.slow]

FEW = {
    "workspace_name": "demo",
    "src_frames_per_second": 3.0,
    "preset": "tiny",
    "pretrain_minutes": 0,
    "pretrain_iterations": 2,
    "train_minutes": 0,
    "my_choice": "I have read the rules and decide to go on",
}


def run_notebook(folder: Path, monkeypatch: pytest.MonkeyPatch, **values: Any) -> str:
    """Execute all cells in a fresh kernel in `folder`; the text and HTML of all outputs."""
    folder.mkdir()
    monkeypatch.setenv("DFLCOLAB_NOTEBOOK", json.dumps({**FEW, **values}))
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return outputs_of(notebook)


def outputs_of(notebook: Any) -> str:
    found: list[str] = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            found.append(str(data.get("text/html", data.get("text/plain", output.get("text", "")))))
    return "\n".join(found)


def test_plain_jupyter_and_then_hosted_colab_do_the_whole_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    storage = tmp_path / "storage"

    # Plain Jupyter, a folder in the role of the drive.
    text = run_notebook(
        tmp_path / "first", monkeypatch, storage_folder=str(storage), target_iterations=4
    )

    first = tmp_path / "first" / "workspaces" / "demo"
    assert (first / "result.mp4").stat().st_size > 10_000
    assert "This is Jupyter" in text
    assert "read back" in text
    assert "video controls" in text
    shelf = storage / "dflcolab" / "demo"
    assert list(shelf.glob("files/result*.mp4"))
    assert "platform" not in (first / "workspace.toml").read_text()

    # Hosted Colab (stand-in), an empty machine, the same storage as its Drive.
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(STAND_IN), os.environ.get("PYTHONPATH", "")])
    )
    monkeypatch.setenv("STAND_IN_DRIVE", str(tmp_path / "drive"))
    (tmp_path / "drive").mkdir()
    storage.rename(tmp_path / "drive" / "MyDrive")
    text = run_notebook(
        tmp_path / "second",
        monkeypatch,
        target_iterations=6,
        local_folder=str(tmp_path / "content"),
    )

    second = tmp_path / "content" / "demo"
    assert "This is hosted Colab" in text
    assert "creating deepfakes" in text
    assert "every byte was compared" in text
    assert "has its start already" in text
    assert 'decision = "I have read' in (second / "workspace.toml").read_text()
    assert len(list((second / "model" / "first").glob("ckpt-*6"))) == 1
    assert contents(second / "data_src" / "aligned") == contents(first / "data_src" / "aligned")


def contents(folder: Path) -> list[str]:
    """Hashes of the faces; a second sort may give other names."""
    return sorted(sha256_of(path) for path in folder.glob("*.jpg"))
