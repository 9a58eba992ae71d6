"""A Python whose processes have the libraries at hand: each is forked from one that has imported them.

A fresh process spends seconds of an audit on imports. A test that needs processes of their own, but not their imports,
starts ``python`` in the place of ``sys.executable``. It hands its arguments, folder, environment and standard streams
to a server, which forks. It lives as long as the fork, and ends as that ends; where it is killed, the fork is killed
too, and has ended once its output has.

Not for what depends on how Python starts: on imports, on ``PYTHONPATH`` and ``HF_HOME``, which are read only once, on
the signals that a process ignores, or on its group. And all forks order their sets alike.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from contextlib import contextmanager, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing them takes longer than all the rest that `python` does
    from collections.abc import Iterator
    from typing import NoReturn

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@contextmanager
def forking() -> Iterator[str]:
    """Give such a ``python`` for as long as the context lasts."""
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        python, address = f"{folder}/python", f"{folder}/socket"
        code = f"import sys; sys.path.append({ROOT!r}); from tests.zygote import hand_over; hand_over({address!r})"
        with open(python, "w", encoding="utf-8") as script:
            script.write(f"#!{sys.executable} -IS\n{code}\n")
        os.chmod(python, 0o700)
        listener.bind(address)
        listener.listen()
        number = listener.fileno()
        server = subprocess.Popen(
            [sys.executable, "-c", f"from tests.zygote import serve; serve({number})"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, pass_fds=[number], start_new_session=True,
        )  # fmt: skip
        try:
            yield python
        finally:
            server.communicate()  # closes the pipe, at which the server ends


def hand_over(address: str) -> NoReturn:
    """Have the server run the command of this process, and end as that ends."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        python, *arguments = sys.argv
        command = {"python": python, "arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}
        socket.send_fds(server, [json.dumps(command).encode() + b"\n"], [0, 1, 2])
        status = int(server.recv(16))
    if status < 0:
        with suppress(OSError):
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


def serve(number: int) -> None:
    """Fork for each command, until the process that started this one closes the pipe or ends."""
    import gc

    import tests.warm  # noqa: F401

    gc.freeze()
    with socket.socket(fileno=number) as listener:
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            client, _ = listener.accept()
            if not os.fork():
                _keep(client)
            client.close()
            while os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG):
                pass


def _keep(client: socket.socket) -> NoReturn:
    """Have a fork do what the client was to do, and tell it how that ended."""
    import multiprocessing

    message, streams, _, _ = socket.recv_fds(client, 1 << 20, 3)
    while not message.endswith(b"\n"):
        message += client.recv(1 << 20)
    fork = multiprocessing.get_context("fork").Process(target=_become, args=(streams,), kwargs=json.loads(message))
    fork.start()
    for stream in streams:
        os.close(stream)
    if client.fileno() in select.select([client.fileno(), fork.sentinel], [], [])[0]:
        fork.kill()
    fork.join()
    with suppress(OSError):
        client.send(str(fork.exitcode).encode())
    os._exit(0)


def _become(streams: list[int], *, python: str, arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """Do what Python would do with these arguments: ``-c`` or ``-m``, whatever stands before."""
    import atexit
    import runpy

    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.executable, sys.path[0] = python, folder
    rest = iter(arguments)
    option = next(each for each in rest if each[:2] in ("-c", "-m"))
    what = option[2:] or next(rest)
    sys.argv = [option[:2], *rest]
    try:
        if option.startswith("-m"):
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            exec(what, {"__name__": "__main__"})  # noqa: S102
    finally:
        atexit._run_exitfuncs()  # which multiprocessing leaves out
