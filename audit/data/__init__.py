"""Examples: files of all kinds read into texts, labels and subgroups."""
