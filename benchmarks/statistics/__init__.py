"""What intervals, bounds and verdicts do where the truth is known."""
