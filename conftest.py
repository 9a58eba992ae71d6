"""What only this repository's own test runs need; everything of the audit is the plugin's."""

pytest_plugins = ["pytester"]
