"""The HTTP service: a thin layer over decisions and the rule base in force."""
