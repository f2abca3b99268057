"""A pod that keeps, byte for byte, what it is sent, and a server behind nginx that tells what it got."""

from __future__ import annotations

import asyncio
import json
import re

CAPACITY = json.dumps({"available_cpus": 100000, "available_gpus": 64, "available_memory_gb": 100000}).encode()
ID = re.compile(rb"\r\nNeutrino-Request-Id: ([0-9A-Z]+)\r\n")
LENGTH = re.compile(rb"\r\nContent-Length: (\d+)\r\n")


class Recorder:
    """What pods were sent, by the request's id. `problems` is what no gateway may send."""

    def __init__(self) -> None:
        self.requests: dict[str, bytes] = {}
        self.problems: list[str] = []


class Connection(asyncio.Protocol):
    """Takes the Content-Length that the gateway writes at its word, and nothing else: if others would frame it otherwise is seen later."""

    def __init__(self, recorder: Recorder):
        self.recorder = recorder
        self.data = b""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[: end + 4]
            lengths = LENGTH.findall(head)
            whole = len(head) + int(lengths[0] if lengths else 0)
            if len(self.data) < whole:
                return
            request, self.data = self.data[:whole], self.data[whole:]
            self.answer(request, head)

    def answer(self, request: bytes, head: bytes) -> None:
        if head.startswith(b"GET /capacity HTTP/1.1\r\n") and b"Neutrino-Request-Id" not in head:
            body = CAPACITY
        else:
            body = b"ok"
            ids = ID.findall(head)
            if len(ids) != 1:
                self.recorder.problems.append(f"a request with {len(ids)} ids: {request[:500]!r}")
            else:
                self.recorder.requests[ids[0].decode()] = request
        if head.startswith(b"HEAD "):
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        else:
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def connection_lost(self, _: Exception | None) -> None:
        # The gateway may close while nothing is under way; not in the middle of a request whose client stayed.
        if self.data and not self.data.startswith(b"GET /capacity"):
            self.recorder.problems.append(f"a request that ends in the middle: {self.data[:500]!r}")


class Teller(asyncio.Protocol):
    """Behind nginx: answers with the method, target and body that it was sent."""

    def __init__(self) -> None:
        self.data = b""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        end = self.data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.data[: end + 4]
        found = re.search(rb"\r\ncontent-length: *(\d+)\r\n", head, re.IGNORECASE)
        body = self.data[end + 4 :]
        if len(body) < int(found[1] if found else 0):
            return
        method, target, _ = head.split(b"\r\n", 1)[0].split(b" ", 2)
        told = json.dumps({"method": method.decode("latin-1"), "target": target.decode("latin-1"), "body": body.hex()}).encode()
        self.transport.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(told) + told)
        self.transport.close()


async def listen(factory) -> tuple[asyncio.Server, int]:
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0, backlog=1024)
    return server, server.sockets[0].getsockname()[1]
