"""`audit.json`: what an audit found, as plain values; the only input of every report."""
