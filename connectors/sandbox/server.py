"""How the sandbox is run: one uvicorn on the loopback interface, in a thread or as the whole process.

Promises a bound port before `url` is read, a clear error when the port is taken, and a stop that waits for no fault
still sleeping. Each request's scope carries its TCP connection, which `connectors.sandbox.faulty` needs. It refuses to
listen on anything but loopback: the doubles hold no real data, but they also ask for no real password.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from types import TracebackType
from typing import Final, Self

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from connectors.errors import ConfigurationError
from connectors.sandbox.faulty import EXTENSION, Connection

HOST: Final = "127.0.0.1"
_START_TIMEOUT_S: Final = 30.0
_POLL_S: Final = 0.002


class ConnectionProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with the connection in the scope so that a fault can close it."""

    def on_message_begin(self) -> None:
        """Add the connection to the extensions of the scope that uvicorn has just made."""
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: {}}
        # uvicorn types an extension's value as a dictionary; ours is a typed object.
        self.scope["extensions"][EXTENSION] = Connection(self.transport)  # type: ignore[assignment]


def bind(port: int) -> socket.socket:
    """A listening loopback socket.

    Args:
        port: 0 lets the system choose.

    Raises:
        ConfigurationError: the port is taken or may not be used.
    """
    # With the protocol named, asyncio sets TCP_NODELAY; without it each answer waits for a delayed acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(512)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigurationError(f"cannot listen on {HOST} port {port} ({reason}): choose another port") from error
    return listener


def configure(app: ASGIApp) -> uvicorn.Server:
    """The uvicorn server that the sandbox uses, not yet started."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=ConnectionProtocol,
            ws="none",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            # A caller waiting for a fault must not keep the server from stopping.
            timeout_graceful_shutdown=1,
        ),
    )


class RunningServer:
    """An app served from a thread of this process.

    Use it as a context manager, or call `start` and `stop`. `url` is `http://127.0.0.1:PORT`, without a slash.
    """

    def __init__(self, app: ASGIApp, *, port: int = 0) -> None:
        self._server = configure(app)
        self._port = port
        self._thread: threading.Thread | None = None
        self.url = ""

    def start(self) -> Self:
        """Bind, serve, and return once requests are answered.

        Raises:
            ConfigurationError: the port is taken.
            RuntimeError: the app did not start, for instance because its lifespan failed.
        """
        listener = bind(self._port)
        self.url = f"http://{HOST}:{listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, args=(listener,), name="sandbox", daemon=True)
        self._thread.start()
        waited_s = 0.0
        while not self._server.started:
            self._thread.join(_POLL_S)
            waited_s += _POLL_S
            if not self._thread.is_alive() or waited_s > _START_TIMEOUT_S:
                listener.close()
                raise RuntimeError("the sandbox did not start: read the log of uvicorn.error")
        return self

    def stop(self) -> None:
        """Stop serving and wait for the thread."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, listener: socket.socket) -> None:
        asyncio.run(self._server.serve(sockets=[listener]))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def serve(app: ASGIApp, port: int = 0) -> RunningServer:
    """An app's server, to be entered with `with`; port 0 lets the system choose."""
    return RunningServer(app, port=port)
