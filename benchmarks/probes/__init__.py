"""What probes find, miss and cost: on planted faults, on labelled data, on models that differ in one thing."""
