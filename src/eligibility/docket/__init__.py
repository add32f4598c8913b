"""Many cases at once: reading them, and what of them may be moved."""
