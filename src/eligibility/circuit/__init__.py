"""The rule base of one profile and date in law as one three-valued logic circuit."""
