"""How the database comes to be as :mod:`eligibility.records.tables` says; run when it is opened."""
