"""No audit uses a network unless its policy names a Hub id or an address."""

from __future__ import annotations

import socket

import pytest

from tests.helpers import ARTIFACT, Runner, WritePolicy
from tests.plugin.test_plugin import QUALITY


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whom this process tried to reach; nobody can be."""
    reached: list[str] = []

    def refuse(what: str) -> object:
        def refused(*arguments: object, **_: object) -> None:
            place = arguments[-1]
            if isinstance(place, (str, bytes)) and what != "getaddrinfo":  # a socket of this machine's file system
                raise ConnectionRefusedError
            reached.append(f"{what} {arguments[1:] or arguments}")
            raise OSError("the network is blocked")

        return refused

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse(name))
    monkeypatch.setattr(socket, "getaddrinfo", refuse("getaddrinfo"))
    return reached


def test_an_audit_of_local_files_reaches_nobody(run: Runner, write_policy: WritePolicy, called: list[str]) -> None:
    write_policy(**{"gates.quality": "accuracy = { min = 0.05 }"})
    run.pytester.makepyfile(QUALITY, test_security=ARTIFACT)
    assert run().ret == 0
    assert run.record["verdict"] == "pass"
    assert called == []


def test_the_block_sees_who_is_called(called: list[str]) -> None:
    with pytest.raises(OSError, match="the network is blocked"):
        socket.create_connection(("example.org", 443), 1)
    with pytest.raises(OSError, match="the network is blocked"):
        socket.socket().connect(("192.0.2.1", 443))
    assert len(called) == 2
