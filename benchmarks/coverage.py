"""Another name for the command `python -m benchmarks.statistics.coverage`."""

from benchmarks.statistics.coverage import main

main()
