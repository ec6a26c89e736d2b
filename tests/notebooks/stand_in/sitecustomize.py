"""Makes a kernel believe that it is a hosted Colab VM; Drive is the folder `STAND_IN_DRIVE`.

A file `refuse-mount` or `refuse-flush` beside that folder lets the next such call fail as Google's fails, once.
"""

import os
import sys
import types
from pathlib import Path

DRIVE = Path(os.environ["STAND_IN_DRIVE"])


MANAGER = "https://colab.example/widget-manager.js"
VIEW = "application/vnd.jupyter.widget-view+json"


class MessageError(Exception):
    """What Colab raises when the user's page answered with an error."""


def refuse(call, error):
    """Fail if somebody wants this call to."""
    try:
        DRIVE.with_name(f"refuse-{call}").unlink()
    except FileNotFoundError:
        return
    raise error


def mount(mountpoint, force_remount=False, timeout_ms=120000, readonly=False):
    refuse("mount", MessageError("Error: credential propagation was unsuccessful"))
    if mountpoint != str(DRIVE):
        raise ValueError("mountpoint must be the stand-in's folder")
    print(f"Mounted at {mountpoint}")


def flush_and_unmount(timeout_ms=86400000):
    refuse("flush", ValueError("flush_and_unmount failed"))
    print("Drive was flushed.")


def download(filename):
    print(f"The browser gets {filename}")


def enable_custom_widget_manager():
    """From now on every widget that is shown tells the page where the code is that draws it."""
    from IPython import get_ipython

    if colab.output._widgets._installed_url is None:
        colab.output._widgets._installed_url = MANAGER
        get_ipython().display_pub.register_hook(with_manager)


def with_manager(message):
    content = message.get("content", {})
    if VIEW in content.get("data", {}):
        told = content.setdefault("metadata", {}).setdefault(VIEW, {})
        told["colab"] = {"custom_widget_manager": {"url": MANAGER}}
    return message


colab = types.ModuleType("google.colab")
colab.drive = types.ModuleType("google.colab.drive")
colab.drive.mount = mount
colab.drive.flush_and_unmount = flush_and_unmount
colab.files = types.ModuleType("google.colab.files")
colab.files.download = download
colab.output = types.ModuleType("google.colab.output")
colab.output.enable_custom_widget_manager = enable_custom_widget_manager
colab.output._widgets = types.SimpleNamespace(_installed_url=None)
sys.modules["google.colab"] = colab
sys.modules["google.colab.output"] = colab.output
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
