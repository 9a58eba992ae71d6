"""Whether the Hugging Face Hub can be reached, so that an audit without a network fails at once and in words."""

from __future__ import annotations

import os
from functools import cache

_UNREACHABLE = {
    "ConnectError",
    "ConnectTimeout",
    "ConnectionError",
    "LocalEntryNotFoundError",
    "OfflineModeIsEnabled",
    "TimeoutError",
    "TimeoutException",
    "gaierror",
}


def is_unreachable(error: BaseException) -> bool:
    """Whether an exception of a download means that there was no network, or that it is switched off."""
    return bool(_UNREACHABLE & {cls.__name__ for cls in type(error).__mro__})


@cache
def work_offline_if_unreachable() -> bool:
    """Try the Hub once; where it does not answer, let its libraries look into their cache only.

    Without this they repeat each request with growing pauses, and a missing network costs half a minute.

    Returns
    -------
    bool
        Whether the Hub answers.
    """
    import socket
    from urllib.parse import urlparse

    from huggingface_hub import constants

    if constants.is_offline_mode():
        return False
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True  # only the proxy can tell
    endpoint = urlparse(constants.ENDPOINT)
    try:
        socket.create_connection(
            (endpoint.hostname or "", endpoint.port or (80 if endpoint.scheme == "http" else 443)), 5
        ).close()
    except OSError:
        import datasets

        constants.HF_HUB_OFFLINE = True
        datasets.config.HF_HUB_OFFLINE = True
        return False
    return True
