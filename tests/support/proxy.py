"""A TCP proxy on loopback that stands for a worse network: every byte is late, and a connection may break."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time


class Proxy:
    """Passes connections on to `port`, each byte `delay_s` late in each direction.

    Once `limit` bytes have come back from the server in all, connections are cut.
    """

    def __init__(self, port: int, delay_s: float = 0.0, limit: int | None = None) -> None:
        self._target = port
        self._delay_s = delay_s
        self._limit = limit
        self.returned_bytes = 0
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def close(self) -> None:
        """Break everything; no thread is left."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        self._cut()
        for thread in self._threads[1:]:
            thread.join()
        for each in self._sockets:
            each.close()

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                for each in (client, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets += [client, server]
                for source, sink in ((client, server), (server, client)):
                    late: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
                    self._start(self._take, source, late, source is server)
                    self._start(self._pass_on, sink, late)

    def _take(self, source: socket.socket, late: queue.SimpleQueue[tuple[float, bytes]], is_back: bool) -> None:
        data = b"-"
        while data:
            try:
                data = source.recv(1 << 16)
            except OSError:
                data = b""
            if is_back:
                self.returned_bytes += len(data)
                if self._limit is not None and self.returned_bytes > self._limit:
                    data = data[: max(0, len(data) - (self.returned_bytes - self._limit))]
                    late.put((time.monotonic(), data))
                    data = b""
                    self._cut()
            late.put((time.monotonic() + self._delay_s, data))

    def _pass_on(self, sink: socket.socket, late: queue.SimpleQueue[tuple[float, bytes]]) -> None:
        while True:
            due, data = late.get()
            time.sleep(max(0.0, due - time.monotonic()))
            with contextlib.suppress(OSError):
                if data:
                    sink.sendall(data)
                else:
                    sink.shutdown(socket.SHUT_WR)
            if not data:
                return

    def _cut(self) -> None:
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
