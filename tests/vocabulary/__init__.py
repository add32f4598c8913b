"""Words of a case: reading them, and describing them to others."""
