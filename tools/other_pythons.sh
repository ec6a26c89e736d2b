#!/bin/sh
# Syntax and imports on Python 3.12 and 3.13, which Colab has, wherever there is only one Python: with the
# builds for WebAssembly that npm has. Needs node and npm, and some 10 MB from npm per version.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 0.27 0.29; do
  npm install --prefix "$folder/$version" --silent --no-audit --no-fund "pyodide@$version"
  node "$root/tools/other_pythons.mjs" "$folder/$version/node_modules/pyodide" "$root"
done
