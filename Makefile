# The commands of this project. `make setup` needs only git, make and Python 3.11 with venv.
SHELL := /bin/bash
PY := .venv/bin/python
# The first Python that is new enough; a name that is only a launcher without a version behind it does not count.
SYSTEM_PY ?= $(shell for name in python3 python3.13 python3.12 python3.11; do $$name -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null && echo $$name && break; done || echo python3)

.PHONY: help setup demo test test-deps bench soak locks clean

help:
	@echo "make setup   everything this checkout needs, into .venv and web/node_modules"
	@echo "make demo    a simulated call centre; prints the link to open"
	@echo "make test    every test of every kind"
	@echo "make bench   benchmarks, one JSON line a figure (BENCH=name for one)"
	@echo "make soak    long runs"

setup:
	@$(SYSTEM_PY) scripts/setup.py

demo: setup
	@.venv/bin/livemon demo $(ARGS)

test-deps:
	@bash scripts/test_deps.sh

test: test-deps
	@$(SYSTEM_PY) scripts/setup.py --dev
	@$(PY) -m scripts.test $(ARGS)

bench:
	@$(SYSTEM_PY) scripts/setup.py --dev
	@$(PY) -m bench $(BENCH)

soak:
	@$(SYSTEM_PY) scripts/setup.py --dev
	@$(PY) -m bench --soak

locks:
	@$(PY) scripts/locks.py

clean:
	rm -rf .venv .make web/node_modules livemon/pages
