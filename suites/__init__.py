"""The audit itself: one file for each challenge. Run it with ``pytest suites/``."""
