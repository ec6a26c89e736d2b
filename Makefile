# `make demo` and `make test` set everything up by themselves in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
COLAB_VENV := .venv-colab
COLAB_READY := $(COLAB_VENV)/.ready

.PHONY: demo colab-stack test test-all test-fast lint bench notebooks write-notebooks write-options other-pythons fuzz crash soak clean

demo: $(READY)
	$(BIN)/dflcolab demo --out demo

# All but a few that take minutes and whose like the others hold too; `make test-all` has them.
test: $(READY) $(COLAB_READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not long"

test-all: $(READY) $(COLAB_READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-fast: $(READY)
	$(BIN)/python -m pytest -m "not slow and not notebook"

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python -m benchmarks

# Hostile and damaged files (N of them) and killed programs (KILLS of them); SEED repeats a run.
N ?= 20000
KILLS ?= 500
SEED ?= 3

fuzz: $(READY)
	$(BIN)/python -m tests.fuzz --inputs $(N) --seed $(SEED)

# Training and sync killed KILLS times. Then two machines and one Drive: so many sequences of steps,
# faults and kills, new ones each time.
EXAMPLES ?= 5000

soak: $(READY)
	$(BIN)/python -m tests.soak --kills $(KILLS) --seed $(SEED)
	DFLCOLAB_STORE_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest --timeout 0 \
	  tests/sync/test_store_properties.py tests/sync/test_store_bugs.py

crash: $(READY)
	$(BIN)/python -m tests.crash --kills $(KILLS) --seed $(SEED)

notebooks: $(READY)
	$(BIN)/python -m pytest tests/notebooks

# notebooks/*.ipynb from their source.
write-notebooks: $(READY)
	$(BIN)/python -m tools.notebook_source

# docs/options.md from the options' classes.
write-options: $(READY)
	$(BIN)/python -m tools.options_page

# Syntax and imports on Python 3.12 and 3.13, by npm's builds for WebAssembly.
other-pythons:
	sh tools/other_pythons.sh

clean:
	rm -rf $(VENV) $(COLAB_VENV) build dist *.egg-info demo

$(READY): pyproject.toml setup.py tools/setup.sh
	PYTHON="$(PYTHON)" VENV="$(VENV)" sh tools/setup.sh
	touch $(READY)

# The notebook, kernel and widget versions of Colab, for the browser tests.
colab-stack: $(COLAB_READY)

$(COLAB_READY): tools/colab_stack.sh | $(READY)
	VENV="$(VENV)" COLAB_VENV="$(COLAB_VENV)" sh tools/colab_stack.sh
