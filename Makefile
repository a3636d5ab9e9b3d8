# make quickstart   set up, then: export, verify, time, cut the object out of the sample photo
# make test         set up, then: format, lint, types, tests
# make check-style  format, lint and types only
#
# On Linux the registry's torch brings CUDA packages of several GB. For the CPU build:
#   make quickstart TORCH_INDEX=https://download.pytorch.org/whl/cpu

PYTHON ?= python3.11
VENV ?= .venv
TORCH_INDEX ?=
OUT ?= out
THREADS ?= 2

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PHOTO := ritm_edge/samples/astronaut.jpg
CLICKS := --click 110,220 --click 60,225 --click 110,60,neg
ARTIFACTS := $(OUT)/hrnet18s-400x400.onnx $(OUT)/hrnet18s-400x400.tflite $(OUT)/hrnet18s-400x400.mlpackage

.PHONY: quickstart test check-style setup clean

quickstart: setup
	$(BIN)/ritm-edge export --target onnx --target tflite --target coreml --output $(OUT)
	for artifact in $(ARTIFACTS); do \
	    $(BIN)/ritm-edge verify $$artifact || exit 1; \
	    $(BIN)/ritm-edge predict $(PHOTO) $(CLICKS) --artifact $$artifact \
	        -o $$artifact.mask.png --overlay $$artifact.overlay.png || exit 1; \
	done
	$(BIN)/ritm-edge bench latency $(ARTIFACTS) --threads $(THREADS) -o $(OUT)/latency.json
	@echo "artifacts, masks, overlays and timings are in $(OUT)/"

test: check-style
	$(BIN)/python -m pytest

check-style: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

setup: $(VENV)/.installed

# torch goes first and alone, so that no other package's loose range can choose its build.
# onnx2tf requires opencv-python, whose files replace the headless ones and need a desktop's
# libGL; the headless build is put back over it.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade "pip>=24" "setuptools>=68"
	$(PIP) -c constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX) --extra-index-url https://pypi.org/simple) torch==2.13.0
	$(PIP) -c constraints.txt -e ".[all,dev]"
	$(PIP) -c constraints.txt --no-deps --force-reinstall opencv-python-headless
	touch $@

clean:
	rm -rf $(OUT) build dist *.egg-info
