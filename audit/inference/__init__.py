"""Running models: the only place where a text enters a network."""
