"""Energy, time and emissions of what an audit does."""
