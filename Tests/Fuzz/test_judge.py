"""The judge of `wire.py` is given what no gateway may do, and has to find it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
import unittest
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import wire  # noqa: E402
from echo_pod import Recorder  # noqa: E402


def forwarded(head: str, body: str = "") -> bytes:
    """A request as the gateway writes it anew."""
    return f"{head} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


class TheJudge(unittest.TestCase):
    def findings(self, data: bytes, *requests: bytes) -> list[str]:
        judge = wire.Judge(Recorder(), nginx=0)
        with contextlib.redirect_stdout(io.StringIO()):
            judge.judge_intake(data, list(requests))
        return [finding.split(" ", 1)[0] for finding in judge.findings]

    def test_what_is_forwarded_as_it_was_sent_is_right(self) -> None:
        self.assertEqual(self.findings(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", forwarded("POST /a", "hello")), [])
        self.assertEqual(self.findings(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n", forwarded("GET /a"), forwarded("GET /b")), [])

    def test_a_body_that_was_forwarded_too_short_is_found(self) -> None:
        """Others take the head and wait for more: what comes next they take for the body."""
        both = ["h11", "httptools"]
        self.assertEqual(self.findings(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nhello", forwarded("POST /a", "hello")), both)
        self.assertEqual(self.findings(b"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n", forwarded("GET /a")), both)
        chunk = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\nhello"
        self.assertEqual(self.findings(chunk, forwarded("POST /a", "fff\r\nh")), both)
        # The second of two.
        data = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nhello"
        self.assertEqual(self.findings(data, forwarded("GET /a"), forwarded("POST /b", "hello")), both)

    def test_a_request_that_was_hidden_in_a_body_is_found(self) -> None:
        data = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 34\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\nX: 1\r\n\r\n"
        self.assertEqual(self.findings(data, forwarded("POST /a"), forwarded("GET /b")), ["h11", "httptools"])

    def test_an_upgrade_that_they_wait_for_is_passed_over(self) -> None:
        upgrade = b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n"
        self.assertEqual(self.findings(upgrade, forwarded("GET /a"), forwarded("GET /b")), [])


class WhatIsClosedWithoutAnAnswer(unittest.IsolatedAsyncioTestCase):
    async def test_is_not_sent_again_unless_this_process_stood_still(self) -> None:
        connections = 0

        async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            writer.close()

        server = await asyncio.start_server(close, "127.0.0.1", 0)
        port, counts = server.sockets[0].getsockname()[1], Counter()
        patience = wire.PATIENCE
        # Nothing takes so long; then everything does.
        wire.PATIENCE = 2 * wire.LONGEST
        self.addCleanup(setattr, wire, "PATIENCE", patience)
        outcome = await wire.send(port, [b"GET / HTTP/1.1\r\n\r\n"], Recorder(), counts)
        self.assertEqual((connections, outcome.statuses, outcome.was_held, counts.total()), (1, [], False, 0))
        wire.PATIENCE = 0
        await wire.send(port, [b"GET / HTTP/1.1\r\n\r\n"], Recorder(), counts)
        self.assertEqual((connections, counts.total()), (1 + wire.REPETITIONS, wire.REPETITIONS))
        server.close()


if __name__ == "__main__":
    unittest.main()
