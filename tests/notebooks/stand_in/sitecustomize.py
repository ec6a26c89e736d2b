"""Makes a kernel believe that it is a hosted Colab VM; Drive is the folder `STAND_IN_DRIVE`."""

import os
import sys
import types
from pathlib import Path

DRIVE = Path(os.environ["STAND_IN_DRIVE"])


def mount(mountpoint, force_remount=False, timeout_ms=120000, readonly=False):
    if mountpoint != str(DRIVE):
        raise ValueError("mountpoint must be the stand-in's folder")
    print(f"Mounted at {mountpoint}")


def flush_and_unmount(timeout_ms=86400000):
    print("Drive was flushed.")


def download(filename):
    print(f"The browser gets {filename}")


colab = types.ModuleType("google.colab")
colab.drive = types.ModuleType("google.colab.drive")
colab.drive.mount = mount
colab.drive.flush_and_unmount = flush_and_unmount
colab.files = types.ModuleType("google.colab.files")
colab.files.download = download
sys.modules["google.colab"] = colab
sys.modules["google.colab.files"] = colab.files
sys.modules["google.colab.drive"] = colab.drive

_exists = os.path.exists
os.path.exists = lambda path: path == "/var/colab/hostname" or _exists(path)


class _DriveFolder:
    """Gives `dflcolab.runtime.drive` the stand-in's mount point when it is imported."""

    def find_spec(self, name, path=None, target=None):
        if name != "dflcolab.runtime.drive":
            return None
        sys.meta_path.remove(self)
        import importlib.util

        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            module.ColabDrive.__init__.__defaults__ = (DRIVE,)

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, _DriveFolder())
