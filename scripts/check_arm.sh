#!/bin/sh
# Compares exported files with PyTorch on Arm, emulated: sh scripts/check_arm.sh [RESULTS]
#
# Needs Debian or Ubuntu on any processor with the packages qemu-user-static and
# debian-archive-keyring, and `make setup`, but no root. Debian's Python for arm64 and the aarch64
# wheels of the runtimes go into build/arm (about 1 GB in all). Each file is run by its
# runtime as an Arm Cortex-A76 runs it; the largest differences go into RESULTS/arm-*.json.
set -eu
cd "$(dirname "$0")/.."
RESULTS=${1:-build/arm/results}
PYTHON=.venv/bin/python
ARM=build/arm
FILES=$ARM/files/lite0-128x128
TARGETS="onnx tflite ncnn"
# The last whose wheel for Arm on PyPI needs no CUDA.
TORCH=torch==2.8.0
PACKAGES="numpy onnx onnxruntime ai-edge-litert ncnn opencv-python-headless pillow flatbuffers
    safetensors typer rich filelock fsspec jinja2 networkx sympy typing_extensions"

for file in /usr/bin/qemu-aarch64-static /usr/share/keyrings/debian-archive-keyring.gpg; do
    [ -e "$file" ] || { echo "$file is missing: apt-get install qemu-user-static" \
        "debian-archive-keyring" >&2; exit 1; }
done

# apt with a system of its own, so that nothing is installed on this one.
apt() {
    apt-get --quiet --quiet -o APT::Architecture=arm64 -o APT::Architectures=arm64 \
        -o APT::Install-Recommends=false -o APT::Sandbox::User= -o Debug::NoLocking=1 \
        -o Dir::Etc::SourceList="$PWD/$ARM/apt/sources" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State="$PWD/$ARM/apt" -o Dir::State::status="$PWD/$ARM/apt/status" \
        -o Dir::Cache="$PWD/$ARM/apt" "$@"
}
if [ ! -e $ARM/root/.done ]; then
    rm -rf $ARM/apt $ARM/root
    mkdir -p $ARM/apt/lists/partial $ARM/apt/archives/partial $ARM/root
    : > $ARM/apt/status
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
        "http://deb.debian.org/debian bookworm main" > $ARM/apt/sources
    apt update
    apt install --yes --download-only python3.11 libstdc++6 libgomp1
    for package in $ARM/apt/archives/*.deb; do dpkg-deb -x "$package" $ARM/root; done
    touch $ARM/root/.done
fi

# pip reads conditions such as "on x86_64" for the machine that it runs on, so torch, whose CUDA
# packages have one, comes without what it depends on.
wheels() {
    $PYTHON -m pip install --quiet --target $ARM/packages --upgrade --only-binary=:all: \
        --implementation cp --python-version 3.11 -c $ARM/constraints.txt \
        --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
        --platform manylinux_2_24_aarch64 --platform manylinux_2_17_aarch64 \
        --platform manylinux2014_aarch64 "$@"
}
if [ ! -e $ARM/packages/.done ]; then
    rm -rf $ARM/packages
    grep -v '^torch==' constraints.txt > $ARM/constraints.txt
    # shellcheck disable=SC2086 # a list of words
    wheels $PACKAGES
    wheels --no-deps $TORCH
    touch $ARM/packages/.done
fi

for target in $TARGETS; do
    [ -e "$FILES.$target" ] || .venv/bin/ritm-edge export --checkpoint lite0 --size 128x128 \
        --no-session --target "$target" --output $ARM/files
done

make --no-print-directory layout
mkdir -p "$RESULTS"
for target in $TARGETS; do
    echo "$target …"
    PYTHONPATH=build/layout:$ARM/packages PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1 \
        qemu-aarch64-static -cpu cortex-a76 -L $ARM/root $ARM/root/usr/bin/python3.11 \
        -P -m ritm_edge verify "$FILES.$target" --threads 1 --json > $ARM/verify.json
    mv $ARM/verify.json "$RESULTS/arm-$target.json"
done
