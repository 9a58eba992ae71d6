"""The report's words, and their translations."""
