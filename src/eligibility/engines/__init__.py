"""Evaluators of a circuit, and nothing else."""
