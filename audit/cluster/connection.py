"""Ray itself, reached or started and stopped: whatever is private in Ray is used here and nowhere else.

``tests/cluster/test_connection.py`` holds the installed version to what is relied on here.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from audit.core.errors import AuditError
from audit.text.redaction import message

CONNECT_S = 10.0


class Connection:
    """The connection of this process to a cluster; a cluster that it started ends with it.

    Parameters
    ----------
    address : str or None
        None for a cluster on this machine.
    processors : int
        Of a cluster that is started.

    Raises
    ------
    AuditError
        If the cluster cannot be reached or started.
    """

    def __init__(self, address: str | None, processors: int) -> None:
        # Ray reports its use to its makers unless told not to.
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        import ray

        self.folder: str | None = None
        self._to_close = ExitStack()
        if ray.is_initialized():
            return
        self._to_close.enter_context(silence())
        options: dict[str, object] = {"address": address}
        if address is None:
            # In a private folder that goes with the cluster: Ray's own would stay, and is open to everybody.
            self.folder = tempfile.mkdtemp(prefix="audit-")
            self._to_close.callback(shutil.rmtree, self.folder, ignore_errors=True)
            options = {"address": "local", "num_cpus": processors, "include_dashboard": False}
            options["_temp_dir"] = f"{self.folder}/ray"
            # A password of its own: Ray would leave one in the user's home, and remembers it though the home changes.
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        try:
            host, _, port = (address or "").rpartition(":")
            if port.isdigit():  # Ray itself would try for minutes
                socket.create_connection((host, int(port)), CONNECT_S).close()
            self._to_close.callback(ray.shutdown)
            ray.init(**options, log_to_driver=False, configure_logging=False)
        except Exception as error:
            self.close()
            raise AuditError(
                f"[audit] engine = 'ray': {address or 'a cluster on this machine'} cannot be reached "
                f"({reason(error)}); start one with `ray start --head`, or leave out address."
            ) from None

    def close(self) -> None:
        """Leave the cluster, and stop it if it was started here."""
        self._to_close.close()


@contextmanager
def silence() -> Iterator[None]:
    """Let Ray print nothing: what it has to say of a lost worker would stand in the middle of the terminal."""
    from ray._private import worker

    logger, printing = logging.getLogger("ray"), worker.print_to_stdstream
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    worker.print_to_stdstream = lambda *arguments, **more: None
    try:
        yield
    finally:
        worker.print_to_stdstream = printing
        logger.setLevel(level)


def reason(error: Exception) -> str:
    """The end of what an error says, on one line."""
    return message(error, 10_000)[-200:]
