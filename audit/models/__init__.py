"""Models: admitted or refused by their files, loaded, and fingerprinted."""
