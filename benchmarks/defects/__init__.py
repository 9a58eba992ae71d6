"""Planted defects of all kinds beside clean twins, and which of them the audit's gates catch."""
