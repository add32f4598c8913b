"""The language that policy staff write: conditions, rules, parameters, sources, profiles."""
