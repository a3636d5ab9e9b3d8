#!/bin/sh
# Installs everything into a fresh environment: PIP="..." TORCH_INDEX=[URL] sh scripts/install.sh PYTHON
#
# torch is installed first and alone, so that no other package's range can choose its build. onnx2tf
# requires opencv-python, whose files replace the headless ones and need the libGL of a desktop, so the
# headless build is installed over it.
#
# executorch declares numpy 2, which onnx2tf does not take on Python 3.11, and many packages that neither
# its export nor its runtime imports here; so it is installed without what it declares, and with the few
# packages that it does import.
set -eu
PYTHON=$1
CPU_INDEX=https://download.pytorch.org/whl/cpu

minor=$("$PYTHON" -c 'import sys; print(sys.version_info.minor)')
case $minor in
    11) pins="-c constraints.txt" ;;
    12 | 13) pins="-c constraints-3.12.txt" ;;
    *) pins="" && echo "Python 3.$minor: conversion to TFLite and all of Core ML are left out, since" \
        "their packages have no wheels for it; everything else is installed." ;;
esac

if [ -z "$TORCH_INDEX" ] && [ "$(uname -s)" = Linux ] && [ ! -e /proc/driver/nvidia/version ] &&
    "$PYTHON" -c "import urllib.request as r; r.urlopen('$CPU_INDEX/torch/', timeout=5)" 2>/dev/null
then
    TORCH_INDEX=$CPU_INDEX
fi
if [ -n "$TORCH_INDEX" ]; then
    index="--index-url $TORCH_INDEX --extra-index-url https://pypi.org/simple"
else
    index=""
fi

# shellcheck disable=SC2086 # PIP, pins and index are lists of words
{
    $PIP $pins $index torch==2.13.0
    $PIP $pins -e ".[all,dev]"
    $PIP $pins --no-deps --force-reinstall opencv-python-headless
    $PIP $pins --no-deps executorch==1.5.1 torchao==0.18.0 ruamel.yaml tabulate
}
