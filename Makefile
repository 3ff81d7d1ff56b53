# make demo   train two LSTMs live, beside honest baselines, in under two minutes
# make test   lint, types, tests; runs notebooks 00 to 10 and compares them with their stored outputs
# make test-quick  lint, types and quick tests, in under two minutes: run it while you work
# make test-all  the longer tests, in about half an hour: the next six
# make test-long   tests marked `long`: kills, two processes, every cell and builder, fuzz, Colab
# make test-unchanged  recurrence, layers, training and cells, with TensorFlow's own settings
# make test-browser   the sliders in a real JupyterLab and the site, in headless Chromium
# make test-native  the C code of training and serving under sanitizers (addresses, undefined
#             behaviour, threads)
# make test-backends  cells, layers, builders and presets on JAX and on PyTorch, without TensorFlow
# make test-robust    notebooks and tests that train, as on other processors and from other weights;
#                     VARIANTS="SSE processor" runs only the variants whose names contain a word
# make lab    open the notebooks in JupyterLab
# make badges  write the repository's address and the figures' descriptions into the notebooks
# make docs   write docs/api.md from the docstrings, the pictures of docs/gallery.md and the
#             table of docs/export.md
# make site   build the course, the guides and the API as a site, build/site/index.html
# make bench  time the LSTM layers of several libraries and write benchmarks/results
# Each sets up .venv the first time; PYTHON=python3.12 make demo uses another Python (3.10 or later).

PYTHON ?= python3
VENV := .venv/bin/python
export TF_CPP_MIN_LOG_LEVEL ?= 2
# The tests start TensorFlow dozens of times: ten seconds more each where no bytecode is kept.
export PYTHONDONTWRITEBYTECODE :=

CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
export CHROMIUM

.PHONY: demo test test-quick test-all test-long test-unchanged test-browser test-native \
  test-backends test-robust lab docs site bench badges format

# A file's tests run in one process, which shares models; notebooks start first, as the longest.
PYTEST := $(VENV) -m pytest -n auto --dist loadfile --no-loadscope-reorder

NBVAL := --nbval --nbval-sanitize-with tests/nbval.cfg
LATER := $(wildcard notebooks/1[1-9]*.ipynb)

demo: .venv/installed
	$(VENV) -m lstm_zoo demo

test: .venv/installed
	$(VENV) -m ruff check .
	$(VENV) -m ruff format --check .
	$(VENV) -m mypy
	$(PYTEST) -m "not long" $(NBVAL) $(filter-out $(LATER),$(wildcard notebooks/*.ipynb)) tests

test-quick: .venv/installed
	$(VENV) -m ruff check .
	$(VENV) -m mypy
	$(PYTEST) -m "not slow and not long" tests

test-all: test-long test-unchanged test-native test-backends test-browser test-robust

test-long: .venv/installed
	$(PYTEST) -m long tests
	$(PYTEST) $(NBVAL) $(LATER)

test-unchanged: .venv/installed
	AS_USERS_RUN=1 $(PYTEST) -m "not long" tests/recurrence tests/layers tests/training
	AS_USERS_RUN=1 $(PYTEST) --dist load tests/contracts/test_cells.py

test-browser: .venv/installed
	@test -x "$(CHROMIUM)" || { echo "make test-browser needs a browser: apt-get install chromium"; exit 1; }
	$(VENV) -m pytest tests/browser

KERNELS := $(wildcard lstm_zoo/recurrence/native/kernel_*.c) lstm_zoo/recurrence/native/simd.c

SERVING := $(filter-out %/operations.c %/operations_gru.c,$(wildcard lstm_zoo/recurrence/native/*.c)) \
  $(wildcard lstm_zoo/serving/native/*.c)

# A processor without avx2 or avx512 runs the slower code again.
test-native:
	@for kind in address,undefined thread; do \
	  for check in "check.c $(KERNELS)" "serve.c $(SERVING)"; do \
	    $(CC) -g -O1 -std=gnu11 -Wall -Wextra -fsanitize=$$kind -fno-sanitize-recover=all \
	      tests/native/$$check -o build-check -lm -pthread || exit 1; \
	    for simd in plain avx2 avx512; do LSTM_ZOO_SIMD=$$simd ./build-check || exit 1; done; \
	  done; \
	done; rm build-check

test-backends: .venv-jax/installed .venv-torch/installed
	KERAS_BACKEND=jax .venv-jax/bin/python -m pytest --confcutdir=tests/backends tests/backends
	KERAS_BACKEND=torch .venv-torch/bin/python -m pytest --confcutdir=tests/backends tests/backends

test-robust: .venv/installed
	$(VENV) tests/robustness/run.py $(VARIANTS)

lab: .venv/installed
	$(VENV) -m jupyter lab --notebook-dir=notebooks

docs: .venv/installed
	$(VENV) docs/make_api.py
	$(VENV) docs/make_gallery.py
	$(VENV) docs/make_exports.py

site: .venv/installed
	rm -rf build/site
	PYTHONPATH=. $(VENV) -m sphinx -q -E -W --keep-going -d build/doctrees -c docs/site . build/site

bench: .venv/installed
	$(VENV) benchmarks/speed.py

badges: .venv/installed
	$(VENV) notebooks/stamp_address.py
	$(VENV) notebooks/describe_figures.py

format: .venv/installed
	$(VENV) -m ruff check --fix .
	$(VENV) -m ruff format .

.venv/installed: requirements.txt pyproject.toml hatch_build.py \
  $(wildcard lstm_zoo/recurrence/native/*.[ch] lstm_zoo/serving/native/*.[ch])
	$(PYTHON) -m venv .venv
	$(VENV) -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(VENV) -m pip install --quiet --no-compile --disable-pip-version-check -r requirements.txt -e .
	touch .venv/installed

# Keras on another backend, without TensorFlow. torch==2.13.0 also matches 2.13.0+cpu, which is
# gigabytes smaller; pip takes it if the package index has it.
BACKEND_jax := jax
BACKEND_torch := torch==2.13.0
.venv-%/installed: requirements.txt tests/backends/requirements.txt
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check \
	  -c requirements.txt -r tests/backends/requirements.txt $(BACKEND_$*)
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch .venv-$*/installed
