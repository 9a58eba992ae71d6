"""Whether it treats people alike."""
