"""Facts in, a reasoned decision out."""
