"""Decides when a stuck enforcement case qualifies for cross-execution (交叉执行)."""

__version__ = "0.1.0"
