#!/bin/sh
# Makes .venv-colab: the notebook, kernel and widget versions that Colab has, for the browser tests.
# Everything else (numpy, OpenCV, TensorFlow, dflcolab itself) comes from the main environment, by a path
# file: what is installed here is found first. Reads VENV (the main environment) and COLAB_VENV.
set -eu

rm -rf "$COLAB_VENV"
"$VENV/bin/python" -m venv "$COLAB_VENV"
echo "Installing notebook and widgets in Colab's versions into $COLAB_VENV ..." >&2
"$COLAB_VENV/bin/pip" install --quiet --disable-pip-version-check \
  ipywidgets==7.7.1 widgetsnbextension==3.6.10 jupyterlab_widgets==3.0.16 anywidget==0.9.21 \
  ipython==7.34.0 ipykernel==6.17.1 jupyter_client==7.4.9 traitlets==5.7.1 notebook==6.5.7 \
  jupyter_ui_poll==1.1.0 'setuptools<81' # notebook 6 still imports pkg_resources, which setuptools 81 left out

site() { "$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }
{ pwd; site "$VENV"; } > "$(site "$COLAB_VENV")/main_environment.pth"

"$COLAB_VENV/bin/python" - <<'CHECK'
import importlib.metadata as installed

wanted = {"ipywidgets": "7.7.1", "ipykernel": "6.17.1", "ipython": "7.34.0", "anywidget": "0.9.21"}
found = {name: installed.version(name) for name in wanted}
assert found == wanted, found
import cv2, dflcolab, ipywidgets, numpy  # noqa: E401, F401
assert ipywidgets.__version__ == wanted["ipywidgets"], ipywidgets.__file__
CHECK
touch "$COLAB_VENV/.ready"
