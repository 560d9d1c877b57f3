"""Benchmarks: `python -m benchmarks` measures them all and writes `README.md` beside this file."""
