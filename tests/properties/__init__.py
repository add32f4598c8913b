"""Properties that hold of every rule base and every case."""
