"""What tests and benchmarks share, and what makes the pictures in `docs/`: a browser, and data labelled by hand."""
