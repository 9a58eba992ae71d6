"""One run of an audit: its options, inputs, models and output, without pytest."""
