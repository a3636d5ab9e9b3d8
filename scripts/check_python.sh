#!/bin/sh
# Checks the main job on another Python: sh scripts/check_python.sh 3.13
#
# `make quickstart` runs first. Then a wheel in a fresh environment with one runtime, without PyTorch,
# must cut an object out of the sample photo. Last come the tests of the runtimes and of the TFLite
# converter, which depends on the version of Python. The environments are in build/.
set -eu
cd "$(dirname "$0")/.."
VERSION=$1
PYTHON=python$VERSION
VENV=build/py$VERSION
LIGHT=build/light$VERSION
OUT=build/out$VERSION
PHOTO=ritm_edge/samples/astronaut.jpg

make quickstart PYTHON="$PYTHON" VENV="$VENV" OUT="$OUT"

rm -rf "$LIGHT" build/wheel
"$VENV/bin/python" -m pip wheel --quiet --no-deps --wheel-dir build/wheel .
"$PYTHON" -m venv "$LIGHT"
"$LIGHT/bin/python" -m pip install --quiet "$(ls build/wheel/*.whl)[onnx-runtime]"
(cd build && "light$VERSION/bin/ritm-edge" predict "../$PHOTO" --click 100,225 \
    --artifact "out$VERSION/hrnet18s-400x400.onnx" -o "light$VERSION/mask.png")

OMP_NUM_THREADS=1 "$VENV/bin/python" -m pytest -n 2 --dist loadfile \
    tests/core tests/export/test_targets.py tests/export/test_tflite.py \
    tests/export/test_tflite_precision.py
