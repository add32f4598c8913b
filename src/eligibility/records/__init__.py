"""What was decided and what happened since: kept for good, found again, replayed exactly."""
