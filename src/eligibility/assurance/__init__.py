"""What a rule base can be shown to do: sound, complete, without surprises."""
