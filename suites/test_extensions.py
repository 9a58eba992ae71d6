"""Probes that other packages bring, one test each; nothing where there are none."""


def test_probe(audit, probe):
    """The probe's measurement holds against its gate."""
    audit.check(probe())
