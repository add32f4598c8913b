"""Benchmarks: figures, not tests. Each module is one command."""
