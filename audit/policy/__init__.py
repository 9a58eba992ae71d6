"""The release owner's policy, `audit.toml`: read, checked, and told what is wrong with it."""
