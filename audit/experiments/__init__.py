"""Models that are trained to be compared: for the document's claims, and as cheaper alternatives."""
