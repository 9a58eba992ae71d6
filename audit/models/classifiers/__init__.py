"""Models that are no network of Transformers: a user's own code, files that other libraries read; all answer texts."""
