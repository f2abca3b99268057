"""How others read the same bytes: h11, httptools (llhttp) and nginx."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, field

import h11
import httptools

MARK = b"GET /mark HTTP/1.1\r\nHost: mark\r\n\r\n"


@dataclass
class Seen:
    """What a reader makes of a connection's bytes: whole requests, until it refuses or has no more."""

    requests: list[tuple[bytes, bytes, bytes]] = field(default_factory=list)
    #: Why it reads no further; empty where it waits for more, or is done.
    refusal: str = ""
    #: Whether it is in the middle of a request.
    is_partial: bool = False
    #: Whether it has taken that one's head, and waits for more of its body.
    is_in_body: bool = False


def by_h11(data: bytes) -> Seen:
    seen = Seen()
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(data)
    head, body = None, b""
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                seen.is_in_body = head is not None
                seen.is_partial = seen.is_in_body or bool(connection.trailing_data[0])
                return seen
            if event is h11.PAUSED:
                if connection.our_state is h11.MIGHT_SWITCH_PROTOCOL or connection.their_state is h11.MIGHT_SWITCH_PROTOCOL:
                    seen.refusal = "waits for an upgrade"
                    return seen
                if connection.their_state is h11.MUST_CLOSE:
                    return seen
                connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                    return seen
                connection.start_next_cycle()
            elif isinstance(event, h11.Request):
                head, body = event, b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                seen.requests.append((head.method, head.target, body))
                head = None
            else:
                return seen
    except h11.RemoteProtocolError as error:
        seen.refusal = str(error) or "refused"
        return seen


class _Callbacks:
    def __init__(self, seen: Seen):
        self.seen = seen
        self.parser: httptools.HttpRequestParser | None = None
        self.target = b""
        self.body = b""

    def on_message_begin(self) -> None:
        self.seen.is_partial = True
        self.target = self.body = b""

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_headers_complete(self) -> None:
        self.seen.is_in_body = True

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.seen.requests.append((self.parser.get_method(), self.target, self.body))
        self.seen.is_partial = self.seen.is_in_body = False


def by_httptools(data: bytes) -> Seen:
    seen = Seen()
    callbacks = _Callbacks(seen)
    callbacks.parser = httptools.HttpRequestParser(callbacks)
    try:
        callbacks.parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        seen.refusal = "waits for an upgrade"
    except httptools.HttpParserError as error:
        seen.refusal = str(error) or "refused"
    return seen


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, dict[bytes, bytes], bytes] | None:
    """One answer with a Content-Length, or without a body; None at the connection's end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    lines = head[:-4].split(b"\r\n")
    fields = {}
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        fields[name.lower()] = value.strip()
    status = int(lines[0].split(b" ")[1])
    body = b""
    if status >= 200 and (length := int(fields.get(b"content-length", 0))):
        try:
            body = await reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
    return status, fields, body


async def by_nginx(port: int, data: bytes) -> Seen:
    """What a server behind nginx gets of a request; a mark behind it has to come out as a request of its own."""
    seen = Seen()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data + MARK)
        while len(seen.requests) < 3:
            answer = await asyncio.wait_for(read_answer_of(reader, data, len(seen.requests)), 5)
            if answer is None:
                seen.refusal = seen.refusal or "closed"
                return seen
            status, _, body = answer
            if status != 200 or not body.startswith(b"{"):
                # Refused by nginx itself, or HEAD: no more is known of it.
                seen.refusal = f"status {status}"
                if status >= 400:
                    continue
                seen.requests.append((b"HEAD", b"", b""))
                continue
            told = json.loads(body)
            seen.requests.append((told["method"].encode("latin-1"), told["target"].encode("latin-1"), bytes.fromhex(told["body"])))
            if told["target"] == "/mark":
                return seen
        return seen
    except asyncio.TimeoutError:
        seen.refusal, seen.is_partial = "nothing within 5 s", True
        return seen
    finally:
        writer.close()


async def read_answer_of(reader: asyncio.StreamReader, data: bytes, index: int):
    """As `read_answer`; the answer of HEAD has a length and no body."""
    if index == 0 and data.startswith(b"HEAD "):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return int(head.split(b" ")[1]), {}, b""
    return await read_answer(reader)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
