# The only ways in. Each target makes what it needs; all of it lives in .venv.
#
#   make demo              install with TensorFlow, find and compare on real digit images, leave pictures in demo/
#   make test              the tests on TensorFlow and JAX;  make test BACKEND=torch  on PyTorch;  SLOW=1  with the slow ones;
#                          KERAS=3.15.0  with that version of Keras
#   make check             formatter, linter, types, import floors, doctests
#   make soak              kills a comparison 200 times over 1,000 runs and checks that no run is lost (some minutes)
#   make bench | docs      benchmarks, and the pictures of the documentation
#   make truth | peers     what make bench scores find by: trainings at all rates (some hours), and others' answers. These and
#                          make bench need digits like those of keras.datasets.mnist: make bench MNIST=mnist.npz

PYTHON ?= python3
BACKEND ?= tensorflow jax
SLOW ?=
KERAS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --constraint constraints.txt
# On Linux the CPU build of TensorFlow is half the size; users with a GPU install keras-lr[tensorflow].
TENSORFLOW ?= $(if $(filter Linux-x86_64,$(shell uname -sm | tr ' ' '-')),tensorflow-cpu,tensorflow)
OTHER_KERAS := $(if $(KERAS),.venv/keras-$(KERAS))
DEV := .venv/.dev $(if $(filter torch,$(BACKEND)),.venv/.torch)
QUIET := TF_CPP_MIN_LOG_LEVEL=3 JAX_COMPILATION_CACHE_DIR=$(CURDIR)/.venv/jax-cache JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0

.PHONY: setup demo check doctest test soak bench truth peers docs clean
.DELETE_ON_ERROR:

setup: $(DEV)

demo: .venv/.demo
	@$(BIN)/keras-lr demo --output demo

check: .venv/.dev doctest
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

doctest: .venv/.dev
	$(QUIET) KERAS_BACKEND=jax $(BIN)/python -m pytest --doctest-modules src --ignore=src/keras_lr/backends

test: $(DEV) $(OTHER_KERAS)  # with the slow tests, XLA optimizes as it does for users; without them it compiles faster
	@set -e; for backend in $(BACKEND); do \
	  echo "== tests on $$backend$(if $(KERAS), with Keras $(KERAS))"; \
	  $(QUIET) $(if $(SLOW),XLA_FLAGS=) $(if $(KERAS),PYTHONPATH=$(CURDIR)/$(OTHER_KERAS)) KERAS_BACKEND=$$backend $(BIN)/python -m pytest -n 2 --dist worksteal $(if $(SLOW),,-m "not slow") $(PYTEST); \
	done

soak: $(DEV)
	$(QUIET) KERAS_BACKEND=jax $(BIN)/python benchmarks/soak.py

bench: $(DEV) .venv/.bench .venv/peers/.made  # no cache of compiled programs: a user's first call has none
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python benchmarks/run.py

truth: .venv/.dev
	rm -f benchmarks/regret/truth.json benchmarks/regret/long_truth.json
	$(QUIET) KERAS_BACKEND=jax $(BIN)/python benchmarks/regret/truth.py --minutes 600
	$(QUIET) KERAS_BACKEND=jax $(BIN)/python benchmarks/regret/long_truth.py --minutes 600

peers: .venv/.dev .venv/peers/.made
	rm -f benchmarks/regret/peers.json benchmarks/regret/baselines.json
	.venv/peers/bin/python benchmarks/regret/peers.py --minutes 600
	$(QUIET) KERAS_BACKEND=jax $(BIN)/python benchmarks/regret/baselines.py --minutes 600

docs: .venv/.dev
	$(QUIET) $(BIN)/python docs/make.py

clean:
	rm -rf .venv demo .mypy_cache .ruff_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("keras-lr needs Python 3.11 or newer, and this is " + sys.version.split()[0] + ". Say which: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv .venv

.venv/.demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing keras-lr with TensorFlow into .venv (once, a few minutes) ..."
	@$(PIP) --editable ".[$(TENSORFLOW),demo]"
	@touch $@

.venv/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing keras-lr with TensorFlow, JAX and the development tools into .venv ..."
	@$(PIP) --editable ".[$(TENSORFLOW),jax,demo,dev]"
	@touch $@ .venv/.demo

# A whole folder, not a second environment: some tests start a process of their own, which inherits PYTHONPATH.
.venv/keras-%: | .venv/.dev
	@$(BIN)/python -m pip --disable-pip-version-check --quiet install --no-deps --target $@ keras==$*
	@PYTHONPATH=$@ $(BIN)/python -c 'import keras; assert keras.__version__ == "$*", keras.__version__' 2>/dev/null

.venv/peers/.made: benchmarks/regret/peers.txt | $(BIN)/python
	@echo "Installing the other finders into .venv/peers ..."
	@$(BIN)/python -m venv .venv/peers
	@.venv/peers/bin/python -m pip --disable-pip-version-check --quiet install $$(grep '^torch==' $<)
	@.venv/peers/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --requirement $<
	@touch $@

.venv/.bench: pyproject.toml constraints.txt | .venv/.dev .venv/.torch
	@$(PIP) --editable ".[bench]"
	@touch $@

.venv/.torch: constraints.txt | .venv/.dev
	@echo "Installing PyTorch into .venv ..."
	@$(PIP) --editable ".[torch]"
	@touch $@
