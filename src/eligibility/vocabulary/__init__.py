"""The fact dictionary: what may be said of a case, in which words, and who knows it."""
