# make test: everything CI checks.  make demo: train and run the digits network.
# TEST_EXTRAS adds packages to the environment, TEST_ARGS options to pytest: make test TEST_EXTRAS=torch==2.13.0 TEST_ARGS=--full

PYTHON ?= python3
TEST_EXTRAS ?=
TEST_ARGS ?=
VENV := .venv
EXTRAS := cpu,dev,demo
ifeq ($(shell uname -s),Darwin)
EXTRAS := dev,demo
endif
STAMP := $(VENV)/.installed

.PHONY: test demo

$(STAMP): pyproject.toml
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet -e '.[$(EXTRAS)]'
	touch $@

test: $(STAMP)
	$(if $(TEST_EXTRAS),$(VENV)/bin/python -m pip install --quiet $(TEST_EXTRAS))
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	OPENBLAS_NUM_THREADS=1 $(VENV)/bin/python -m pytest -q -n 2 $(TEST_ARGS)

demo: $(STAMP)
	$(VENV)/bin/python examples/digits.py
