"""What it leaks of its training data."""
