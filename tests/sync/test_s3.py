"""The same copies on an object store: a real S3 server (moto's) in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from dflcolab.sync.proof import Proof
from dflcolab.sync.prune import prune
from dflcolab.sync.pull import pull
from dflcolab.sync.push import push
from dflcolab.sync.remote import Remote
from dflcolab.sync.retention import Retention
from dflcolab.sync.verify import verify
from dflcolab.workspace.workspace import Workspace
from tests.sync.conftest import files_of

pytest.importorskip("s3fs")
pytest.importorskip("moto.server")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Remote:
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{uuid.uuid4().hex[:8]}"
    request = urllib.request.Request(f"{server}/{name}", method="PUT")
    urllib.request.urlopen(request, timeout=10).close()
    return Remote.open(f"s3://{name}/workspaces/mine")


def test_push_change_pull_and_prune(workspace: Workspace, bucket: Remote, tmp_path: Path):
    large = workspace.root / "model" / "first" / "ckpt-000000010" / "weights.safetensors"
    large.write_bytes(bytes(9 << 20))  # more than one part of a multipart upload
    first = push(workspace, bucket)
    assert first.proof is Proof.CONFIRMED
    (workspace.root / "data_src" / "aligned" / "00001_0.jpg").write_bytes(b"another face")

    second = push(workspace, bucket)

    assert (second.files_copied, second.objects_copied) == (1, 1)
    pull(bucket, tmp_path / "first", generation=1)
    prune(bucket, "someone0", Retention(last=1, best=False, days=0))
    assert not verify(bucket).damaged
    report = pull(bucket, tmp_path / "back")
    assert report.generation == 2
    expected = files_of(workspace.root)
    del expected["data_src/aligned_debug/00001.jpg"]
    assert files_of(tmp_path / "back") == expected
    assert pull(bucket, tmp_path / "first").files == 1
