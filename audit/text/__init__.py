"""Texts as such: personal data and how they are masked, word lists, identities, edits and disturbances."""
