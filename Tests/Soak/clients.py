"""The clients of the soak: requests at a rate, whatever becomes of those before them; some of them leave."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass


#: Seconds without a turn that count as standing still.
STALL = 2.0


@dataclass(slots=True)
class Sent:
    """One request as its client saw it."""

    number: int
    method: str
    gpus: int
    at: float
    ended: float = 0
    status: int = 0
    #: `Neutrino-Request-Id` and `Neutrino-Reason` of the answer.
    id: str = ""
    reason: str = ""
    #: The pod that the answer names.
    pod: str = ""
    #: Whether its client left before the answer.
    left: bool = False
    #: Why there is no whole answer.
    problem: str = ""

    @property
    def is_idempotent(self) -> bool:
        return self.method != "POST"


class Connection(asyncio.Protocol):
    """A connection of one request at a time."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.answer: asyncio.Future | None = None
        self.is_open = False

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        self.data += data
        end = self.data.find(b"\r\n\r\n")
        if end < 0 or not self.answer or self.answer.done():
            return
        head = bytes(self.data[:end]).split(b"\r\n")
        fields = {}
        for line in head[1:]:
            name, _, value = line.partition(b": ")
            fields[name.lower()] = value.decode("latin-1")
        whole = end + 4 + int(fields.get(b"content-length", 0))
        if len(self.data) < whole:
            return
        body = bytes(self.data[end + 4 : whole])
        del self.data[:whole]
        if fields.get(b"connection") == "close":
            self.is_open = False
            self.transport.close()
        self.answer.set_result((int(head[0][9:12]), fields, body))

    def connection_lost(self, problem: Exception | None) -> None:
        self.is_open = False
        if self.answer and not self.answer.done():
            self.answer.set_exception(ConnectionError(str(problem or "closed without a whole answer")))


class Clients:
    """Sends `rate` requests a second to a port until it is stopped; `sent` is their account."""

    #: Of 100: GPU requests, requests that are not idempotent, clients that leave, bodies that are spooled.
    GPU, POSTS, LEAVING, LARGE = 8, 25, 3, 1

    def __init__(self, port: int, rate: float, seed: int, patience: float = 60):
        self.port = port
        self.rate = rate
        self.patience = patience
        self.chance = random.Random(seed)
        self.sent: list[Sent] = []
        self.under_way: set[asyncio.Task] = set()
        self.idle: list[Connection] = []
        self.is_stopped = False
        #: When this process itself stood still, from and to: whoever was under way then did not stay.
        self.stalls: list[tuple[float, float]] = []

    async def watch(self) -> None:
        """Notes when the clients' own process stood still: a connection on which nothing is sent for HEADER_TIMEOUT is closed."""
        last = time.time()
        while True:
            await asyncio.sleep(0.1)
            now = time.time()
            if now - last > STALL:
                self.stalls.append((last, now))
            last = now

    async def run(self) -> None:
        """Poisson arrivals: gaps are exponential, and none waits for another's answer."""
        clock = time.monotonic()
        while not self.is_stopped:
            clock += self.chance.expovariate(self.rate)
            delay = clock - time.monotonic()
            if delay > 0:
                await asyncio.sleep(delay)
            elif delay < -5:
                # This machine has stood still; what is owed is not sent all at once.
                clock = time.monotonic()
            task = asyncio.create_task(self.request())
            self.under_way.add(task)
            task.add_done_callback(self.under_way.discard)

    async def stop(self) -> None:
        self.is_stopped = True
        if self.under_way:
            await asyncio.wait(self.under_way, timeout=self.patience)
        for connection in self.idle:
            connection.transport.close()

    async def request(self) -> None:
        chance = self.chance
        gpus = int(chance.random() * 100 < self.GPU)
        method = "POST" if chance.random() * 100 < self.POSTS else chance.choice(("GET", "PUT", "DELETE"))
        leaves = chance.uniform(0, 0.5) if chance.random() * 100 < self.LEAVING else None
        body = b""
        if method in ("POST", "PUT"):
            body = b"x" * (300_000 if chance.random() * 100 < self.LARGE else chance.randrange(1, 2000))
        number = len(self.sent)
        record = Sent(number, method, gpus, time.time())
        self.sent.append(record)
        target = f"/{'gpu' if gpus else 'cpu'}?n={number}&ms={chance.randrange(100, 500)}"
        head = f"{method} {target} HTTP/1.1\r\nHost: soak\r\n"
        if body:
            head += f"Content-Length: {len(body)}\r\n"
        try:
            connection = await self.connect()
            connection.answer = asyncio.get_running_loop().create_future()
            connection.transport.write(head.encode() + b"\r\n" + body)
            status, fields, answer = await asyncio.wait_for(connection.answer, leaves or self.patience)
            record.status = status
            record.id = fields.get(b"neutrino-request-id", "")
            record.reason = fields.get(b"neutrino-reason", "")
            record.pod = answer[9 : answer.find(b'"', 9)].decode("latin-1") if answer.startswith(b'{"pod": "') else ""
            if connection.is_open:
                self.idle.append(connection)
        except TimeoutError:
            record.left = leaves is not None
            record.problem = "" if record.left else f"no answer within {self.patience} s"
            connection.transport.abort()
        except OSError as problem:
            record.problem = str(problem) or type(problem).__name__
        record.ended = time.time()

    async def connect(self) -> Connection:
        while self.idle:
            connection = self.idle.pop()
            if connection.is_open and not connection.transport.is_closing():
                return connection
        _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self.port)
        return connection
