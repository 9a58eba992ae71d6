"""The pytest plugin: options, fixtures, marks, exit status and the summary. The only package that knows pytest.

A finding travels on the report of the test that made it, so that one process and the workers of xdist are the same to
what reads it: the hooks collect the reports' findings while the tests run, and write the record when they have ended.
"""

from __future__ import annotations

import pytest

from audit.plugin import collection, fixtures, hooks, hookspecs, outcomes, overrides, planning, terminal, timeout
from audit.plugin.fixtures import InconclusiveWarning

__all__ = ["InconclusiveWarning"]


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks that other packages may implement, and register the modules with the plugin's own."""
    pluginmanager.add_hookspecs(hookspecs)
    for module in (hooks, collection, fixtures, overrides, timeout, outcomes, terminal, planning):
        pluginmanager.register(module)
