# `make lab` and `make test` are all a reader needs; `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2
LAB_ARGS ?=
PORT ?= 8000
TEST_ARGS ?=
PYTEST_ARGS := -n $(WORKERS) --dist loadscope --nbval-lax -rs
FIRST := lab/tree/notebooks/00_hear_the_problem.ipynb
NOTEBOOKS = $(wildcard notebooks/*.ipynb)
# Kernels may import torch before the package, which would say it: see effifusion_lite/cpu/threads.py.
ifndef OMP_WAIT_POLICY
export GOMP_SPINCOUNT ?= 2000
endif

AS_ROOT = $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: help setup lab test lint format notebooks site serve pesq constraints clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1  \2/p' Makefile | awk '{ $$2 = sprintf("%-12s", $$2) } 1'

setup: $(READY)  ## make .venv with everything in it; a second call does nothing
	@echo "The environment in $(VENV) is ready."

# The stamp is younger than what it was made from, so the second call starts at once.
$(READY): pyproject.toml constraints.txt tools/environment.py
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { echo "setup: there is no $(PYTHON): install \
	Python 3.11 or newer, or name yours, for example \`make setup PYTHON=python3.12\`." >&2; exit 1; }
	@"$(PYTHON)" tools/environment.py create $(VENV)
	@touch $@

lab: $(READY)  ## open JupyterLab at chapter 00; LAB_ARGS="--no-browser --port 8899" and the like
	@$(BIN)/jupyter trust $(NOTEBOOKS)
	@$(BIN)/jupyter lab $(AS_ROOT) --LabApp.default_url=/$(FIRST) $(LAB_ARGS)

# The linter's result is kept, so that both run and the tests have the last word.
test: $(READY)  ## lint, then all tests and all notebooks; TEST_ARGS="-k spectral" picks some
	@$(MAKE) --no-print-directory lint; lint=$$?; \
	$(BIN)/python -m pytest $(PYTEST_ARGS) tests $(NOTEBOOKS) $(TEST_ARGS) || exit; \
	test $$lint = 0 || { echo "make test: the tests passed, the linter did not (see above)"; exit 1; }

lint: $(READY)  ## check style and format of code and notebooks
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

format: $(READY)  ## put the code into the project's format; `make notebooks` then renews the chapters
	@$(BIN)/ruff check --fix --exclude '*.ipynb' . && $(BIN)/ruff format --exclude '*.ipynb' .

notebooks: $(READY)  ## build and run all chapters from notebooks/source
	@$(BIN)/python -m notebooks.build

site: $(READY)  ## build the pages that need no Python, from the notebooks into build/site
	@$(BIN)/python site/build.py

serve: $(READY)  ## show them at http://127.0.0.1:8000; PORT=8080 names another port
	@test -f build/site/index.html || $(MAKE) --no-print-directory site
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory build/site $(PORT)

pesq: $(READY)  ## try again to build pesq, once a compiler is there
	@$(BIN)/python tools/environment.py pesq $(VENV)

constraints: $(READY)  ## write constraints.txt from the present .venv
	@$(BIN)/python tools/environment.py lock > constraints.new && mv constraints.new constraints.txt
	@touch $(READY)

clean:  ## remove .venv and what was built
	rm -rf $(VENV) build dist
