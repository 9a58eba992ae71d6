"""Clauses on intervals that the methods of several probes share."""

from audit.core.sentences import Sentence

# On :func:`audit.statistics.paired_difference`.
PAIRED = Sentence("exact limits of the shares gained and lost, their distances added in squares (Zou and Donner 2008)")
