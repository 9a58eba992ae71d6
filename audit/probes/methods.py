"""Clauses on methods that several probes share."""

from audit.core.sentences import Sentence

PAIRED = Sentence("exact limits of the shares gained and lost, their distances added in squares (Zou and Donner 2008)")
