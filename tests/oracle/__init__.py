"""Slow and obvious second implementations, against which the fast ones are checked."""
