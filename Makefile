# The commands of this project. `make setup` needs only git, make and Python 3.11 with venv.
SHELL := /bin/bash
PY := .venv/bin/python
SYSTEM_PY ?= $(shell command -v python3.13 || command -v python3.12 || command -v python3.11 || command -v python3)

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
