#!/bin/sh
# Makes the virtual environment that the Makefile's targets run in. Reads PYTHON and VENV.
set -eu

if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  for candidate in python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null 2>&1; then PYTHON=$candidate; break; fi
  done
fi
if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "dflcolab needs Python 3.11 or newer; install it and run: make PYTHON=python3.12 ..." >&2
  exit 1
fi
if ! "$PYTHON" -m venv "$VENV"; then
  echo "Python's venv module is incomplete; on Debian and Ubuntu: apt-get install python3-venv" >&2
  exit 1
fi

echo "Installing dflcolab and its libraries into $VENV (a few minutes the first time) ..." >&2
"$VENV/bin/pip" install --quiet --disable-pip-version-check --editable '.[test]'

# opencv-python needs libGL, which a bare server lacks; the headless build has the same functions.
if ! "$VENV/bin/python" -c 'import cv2' 2>/dev/null; then
  "$VENV/bin/pip" install --quiet --disable-pip-version-check --force-reinstall --no-deps opencv-python-headless
  "$VENV/bin/python" -c 'import cv2'
fi
