"""What every stage needs and that needs no stage: errors, measurements and verdicts, files, cache, progress."""
