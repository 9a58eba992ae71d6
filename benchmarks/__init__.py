"""What is measured: each module is a command, but for `timed`, which two of them share."""
