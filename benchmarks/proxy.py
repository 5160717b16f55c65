# SPDX-License-Identifier: GPL-3.0-or-later
"""A TCP proxy that stands for the distance to a host: it delays what passes, and counts it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing
from typing import Any


class Proxy:
    """One port of this machine for each of some hosts. What comes in at a port goes to its host half a round trip later, and back.

    The delay can be changed while connections are open. Nothing limits the bandwidth.
    """

    def __init__(self, addresses: list[str], port: int = 22) -> None:
        self.round_trip = 0.0  # seconds
        self.sent = self.received = 0  # bytes, to and from the hosts
        self.ports: list[int] = []
        self._open: set[asyncio.Task[None]] = set()  # asyncio by itself may forget those of which one side is gone
        ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve(addresses, port, ready)), daemon=True).start()
        ready.wait()

    async def _serve(self, addresses: list[str], port: int, ready: threading.Event) -> None:
        servers = [await asyncio.start_server(lambda r, w, a=a: self._accept(r, w, a, port), "127.0.0.1", 0) for a in addresses]
        self.ports = [server.sockets[0].getsockname()[1] for server in servers]
        ready.set()
        await asyncio.gather(*(server.serve_forever() for server in servers))

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str, port: int) -> None:
        connection = asyncio.create_task(self._connect(reader, writer, address, port))
        self._open.add(connection)
        connection.add_done_callback(self._open.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str, port: int) -> None:
        with closing(writer):
            await asyncio.sleep(self.round_trip)  # TCP's own handshake
            there_reader, there_writer = await asyncio.open_connection(address, port)
            with closing(there_writer):
                await asyncio.gather(self._pass(reader, there_writer, "sent"), self._pass(there_reader, writer, "received"))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str) -> None:
        """Passes on what is read, each piece half a round trip after it came, however many are on their way."""
        clock = asyncio.get_running_loop().time
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        deliver = asyncio.create_task(self._deliver(under_way, writer))
        try:
            while data := await reader.read(1 << 16):
                setattr(self, direction, getattr(self, direction) + len(data))
                under_way.put_nowait((clock() + self.round_trip / 2, data))
        except ConnectionError:
            pass
        under_way.put_nowait((clock() + self.round_trip / 2, b""))
        await deliver

    @staticmethod
    async def _deliver(under_way: asyncio.Queue[tuple[float, bytes]], writer: Any) -> None:
        clock = asyncio.get_running_loop().time
        try:
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(due - clock())
                if not data:
                    break
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
        except (ConnectionError, OSError):
            writer.close()
