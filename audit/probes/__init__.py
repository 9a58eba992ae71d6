"""Probes: plain functions from data and predictions to a `Result`, one module a challenge.

They know neither pytest nor gates, read no user's file and print nothing; call them in a notebook.
"""
