#!/usr/bin/env python3
"""A task pod of the soak: runs tasks that only take time, keeps an account of its own in a file, and goes wrong when it is told to.

    pod.py NAME PORT CPUS GPUS ACCOUNT

Each line of the account is `what id seconds gpus cpus method`: S a task was begun, F its answer was written, L its client left before
that, B refused as busy, X the connection was reset with the request taken. Told by `POST /_mode NAME`: well, lying, resetting, slow-capacity.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import struct
import sys
import time

RESOURCES = re.compile(rb"\r\nNeutrino-Resources: cpus=([\d.]+), gpus=([\d.]+)")
ID = re.compile(rb"\r\nNeutrino-Request-Id: ([0-9A-Z]+)")
LENGTH = re.compile(rb"\r\nContent-Length: (\d+)", re.IGNORECASE)
DURATION = re.compile(rb"[?&]ms=(\d+)")


class Pod:
    def __init__(self, name: str, cpus: float, gpus: float, account: str):
        self.name = name
        self.total = (cpus, gpus)
        self.free = [cpus, gpus]
        self.mode = "well"
        # A write a line: what was written is there also after a kill.
        self.account = os.open(account, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, what: str, task: Task) -> None:
        cpus, gpus = task.needs
        line = f"{what} {task.id} {time.time():.4f} {gpus:g} {cpus:g} {task.method}\n"
        os.write(self.account, line.encode())

    def capacity(self) -> bytes:
        cpus, gpus = self.total if self.mode == "lying" else self.free
        total = {"cpus": self.total[0], "gpus": self.total[1], "memory_gb": 1000}
        return json.dumps({"available_cpus": cpus, "available_gpus": gpus, "available_memory_gb": 1000, "total": total}).encode()


class Task:
    def __init__(self, head: bytes):
        needs = RESOURCES.search(head)
        self.needs = (float(needs[1]), float(needs[2])) if needs else (1.0, 0.0)
        key = ID.search(head)
        self.id = key[1].decode() if key else "-"
        self.method = head.split(b" ", 1)[0].decode()
        duration = DURATION.search(head.split(b"\r\n", 1)[0])
        self.seconds = int(duration[1]) / 1000 if duration else 0.0
        self.timer: asyncio.TimerHandle | None = None


class Connection(asyncio.Protocol):
    def __init__(self, pod: Pod):
        self.pod = pod
        self.data = bytearray()
        self.task: Task | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        if self.task:
            return
        end = self.data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self.data[: end + 2])
        length = LENGTH.search(head)
        whole = end + 4 + int(length[1] if length else 0)
        if len(self.data) < whole:
            return
        body = bytes(self.data[end + 4 : whole])
        del self.data[:whole]
        path = head.split(b" ", 2)[1]
        if path == b"/capacity":
            # One that hangs here only: the poll's client gives up.
            if self.pod.mode != "slow-capacity":
                self.answer(200, self.pod.capacity())
        elif path == b"/_mode":
            self.pod.mode = body.decode()
            self.answer(200, b"{}")
        else:
            self.begin(Task(head))

    def begin(self, task: Task) -> None:
        pod = self.pod
        if pod.mode == "resetting":
            pod.note("X", task)
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
            return
        if pod.mode == "lying" or any(need > free for need, free in zip(task.needs, pod.free)):
            pod.note("B", task)
            self.answer(503, b'{"error":"busy"}')
            return
        pod.note("S", task)
        for index, need in enumerate(task.needs):
            pod.free[index] -= need
        self.task = task
        task.timer = asyncio.get_running_loop().call_later(task.seconds, self.finish)

    def finish(self) -> None:
        task = self.task
        self.give_back()
        self.pod.note("F", task)
        self.answer(200, json.dumps({"pod": self.pod.name, "id": task.id}).encode())
        if self.data:
            self.data_received(b"")

    def give_back(self) -> None:
        for index, need in enumerate(self.task.needs):
            self.pod.free[index] += need
        self.task = None

    def answer(self, status: int, body: bytes) -> None:
        head = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self.transport.write(head % (status, b"OK" if status == 200 else b"Busy", len(body)) + body)

    def connection_lost(self, _: Exception | None) -> None:
        if task := self.task:
            task.timer.cancel()
            self.give_back()
            self.pod.note("L", task)


async def main() -> None:
    name, port, cpus, gpus, account = sys.argv[1:]
    pod = Pod(name, float(cpus), float(gpus), account)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(pod), "127.0.0.1", int(port), backlog=1024, reuse_address=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
