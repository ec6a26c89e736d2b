"""Jupyter servers of two generations, each a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COLAB_VENV = ROOT / ".venv-colab"
_START_S = 90  # a busy machine with two cores; it takes 3 to 10 seconds otherwise
_NOT_NEEDED = """audio console csvviewer debugger extensionmanager help
htmlviewer hub imageviewer inspector launcher markdownviewer mathjax mermaid pluginmanager
terminal theme-dark theme-dark-high-contrast tooltip vega5 video workspaces""".split()
"""Parts of JupyterLab that no test looks at; loading them would take time only. Without the console of
logs (`logconsole`) cells that hold widgets do not run."""

_NO_NEWS = "@jupyterlab/apputils-extension/notification.jupyterlab-settings"


@dataclass(frozen=True)
class Stack:
    """A set of versions.

    Attributes:
        name: `lab` (current versions) or `colab` (the versions that Colab has).
        python: The interpreter of its virtual environment.
    """

    name: str
    python: Path

    @property
    def classic(self) -> bool:
        """The classic notebook page; JupyterLab otherwise."""
        return self.name == "colab"

    def command(self, port: int, folder: Path) -> list[str]:
        """What starts the server."""
        if self.classic:
            own = ["notebook", "--NotebookApp.token=", "--NotebookApp.password=", "--NotebookApp.disable_check_xsrf=True",
                   "--NotebookApp.port_retries=0", f"--NotebookApp.notebook_dir={folder}"]  # fmt: skip
        else:
            own = ["jupyter", "lab", "--ServerApp.port_retries=0", "--IdentityProvider.token=",
                   "--ServerApp.password=", "--ServerApp.disable_check_xsrf=True", f"--ServerApp.root_dir={folder}",
                   "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
                   "--LabApp.expose_app_in_browser=True",  # as window.jupyterapp
                   "--LabServerApp.extension_manager=readonly"]  # fmt: skip
        common = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
        return [str(self.python), "-m", own[0], *own[1:], *common]


def lab_stack() -> Stack:
    """The current versions, from the environment that runs the tests."""
    pytest.importorskip("jupyterlab")
    return Stack("lab", Path(sys.executable))


def colab_stack() -> Stack:
    """Colab's versions; the test is skipped where they are not installed, but never in CI."""
    if not (COLAB_VENV / ".ready").exists():
        sentence = "the Colab-like stack is not installed; run `make colab-stack`"
        if os.environ.get("CI"):
            pytest.fail(sentence)
        pytest.skip(sentence)
    return Stack("colab", COLAB_VENV / "bin" / "python")


class Server:
    """A running Jupyter server; `stop` ends it and all its kernels.

    Args:
        stack: Its versions.
        home: An empty folder for all that it writes.
        environment: Variables for it and its kernels besides.

    Attributes:
        stack: Its versions.
        folder: What it serves.
        url: Its address.
    """

    def __init__(
        self, stack: Stack, home: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.stack = stack
        self.folder = home / "served"
        self.folder.mkdir()
        self._log = home / "server.log"
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                stack.command(port, self.folder),
                env={**_environment(home), **(environment or {})},
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait()

    def stop(self) -> None:
        """End the server; its kernels end with it."""
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _wait(self) -> None:
        end = time.monotonic() + _START_S
        while time.monotonic() < end and self._process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/api", timeout=5).close()
                return
            except OSError:
                time.sleep(0.1)
        self.stop()
        pytest.fail(f"the server of {self.stack.name} did not start:\n{self._log.read_text()}")


def _environment(home: Path) -> dict[str, str]:
    """The tests' environment with all of Jupyter's own folders below `home`."""
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR",
             "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")  # fmt: skip
    folders = {name: home / name.lower() for name in names}
    for folder in folders.values():
        folder.mkdir()
    no_news = folders["JUPYTERLAB_SETTINGS_DIR"] / _NO_NEWS
    no_news.parent.mkdir(parents=True)
    no_news.write_text('{"fetchNews": "false"}', encoding="utf-8")
    parts = {f"@jupyterlab/{name}-extension": True for name in _NOT_NEEDED}
    page = folders["JUPYTER_CONFIG_DIR"] / "labconfig" / "page_config.json"
    page.parent.mkdir()
    page.write_text(json.dumps({"disabledExtensions": parts}), encoding="utf-8")
    own = {name: str(folder) for name, folder in folders.items()}
    return {**os.environ, **own, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONDONTWRITEBYTECODE": "1"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
