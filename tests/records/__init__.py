"""The database: what is recorded stays as it is and is found again."""
