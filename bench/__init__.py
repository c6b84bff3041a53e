"""Benchmarks: each module gives figures; `make bench` prints one JSON line for each."""
