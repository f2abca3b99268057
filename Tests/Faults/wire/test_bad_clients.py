"""Clients that misbehave. Pods and the clients beside them have to notice nothing of it."""

from __future__ import annotations

import os
import socket
import threading
import time
import unittest

from raw_pod import PATIENCE, FaultCase, RawClient, RawPod, Request, get_json, wait_for

POST = b"POST /work HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
MEBIBYTE = 1 << 20


class ClientsThatLeave(FaultCase):
    SETTINGS = FaultCase.SETTINGS | {"REQUEST_TIMEOUT": PATIENCE, "HOLD_TIMEOUT": PATIENCE}

    def assert_row(self, state: str, reason: str) -> None:
        row = self.rows(1)[0]
        self.assertEqual((row["state"], row["reason"]), (state, reason))

    def test_before_the_head_is_whole(self) -> None:
        pod = RawPod()
        self.start(pod)
        for cut in range(1, len(POST), 7):
            RawClient(self.gateway, POST[:cut]).close()
        self.assertEqual(self.ask("/well")[0], 200)
        # Only what came whole became a request.
        self.assertEqual(pod.paths(), ["/well"])
        self.assertEqual(len(self.rows(1)), 1)

    def test_while_it_waits(self) -> None:
        pod = RawPod(cpus=0.5)
        self.start(pod)
        client = RawClient(self.gateway, POST)
        self.wait_for_queue(1)
        client.close()
        self.assert_row("cancelled", "client_closed")
        self.assertEqual(pod.paths(), [])

    def test_half_closed_while_it_waits(self) -> None:
        pod = RawPod(cpus=0.5)
        self.start(pod)
        client = RawClient(self.gateway, POST)
        self.wait_for_queue(1)
        client.socket.shutdown(socket.SHUT_WR)
        self.assert_row("cancelled", "client_closed")
        self.assertEqual(client.receive_all()[0], b"")

    def test_while_a_pod_has_it(self) -> None:
        begun, ended = threading.Event(), threading.Event()

        def behave(request: Request) -> None:
            begun.set()
            if request.waits_for_end():
                ended.set()

        self.start(RawPod(behave))
        client = RawClient(self.gateway, POST)
        self.assertTrue(begun.wait(PATIENCE))
        client.close()
        self.assertTrue(ended.wait(PATIENCE), "the pod is not told")
        self.assert_row("cancelled", "client_closed")
        # Its lease is given back.
        wait_for("nothing is leased", lambda: all(pod["leases"] == 0 for pod in self.pod_states().values()), PATIENCE)

    def test_in_the_middle_of_its_answer(self) -> None:
        ended = threading.Event()

        def behave(request: Request) -> None:
            request.connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            if request.waits_for_end():
                ended.set()

        self.start(RawPod(behave), STREAM_IDLE_TIMEOUT=PATIENCE)
        client = RawClient(self.gateway, POST)
        client.receive(b"hello")
        client.close()
        self.assertTrue(ended.wait(PATIENCE), "the pod is not told")
        self.assert_row("cancelled", "client_closed")

    def test_after_its_answer(self) -> None:
        self.start(RawPod())
        for _ in range(20):
            client = RawClient(self.gateway, POST)
            client.receive(b"ok")
            client.close()
        self.assertEqual({(row["state"], row["status"]) for row in self.rows(20)}, {("completed", 200)})

    def wait_for_queue(self, depth: int) -> None:
        url = f"http://127.0.0.1:{self.gateway.admin}/admin/api/queue"
        wait_for(f"{depth} wait", lambda: get_json(url)["depth"] == depth, PATIENCE)


class SlowClients(FaultCase):
    SETTINGS = FaultCase.SETTINGS | {"HEADER_TIMEOUT": 1, "BODY_TIMEOUT": 4, "REQUEST_TIMEOUT": PATIENCE}

    def test_slowloris(self) -> None:
        """Many heads that drip: each is ended, and others are answered meanwhile (how soon is measured by `make verify`)."""
        self.start(RawPod())
        clients = [RawClient(self.gateway, b"GET / HTTP/1.1\r\nHost: x\r\n") for _ in range(300)]
        stop = threading.Event()

        def drip() -> None:
            while not stop.wait(0.2):
                for client in clients:
                    try:
                        client.send(b"X: y\r\n")
                    except OSError:
                        pass

        threading.Thread(target=drip, daemon=True).start()
        for number in range(50):
            self.assertEqual(self.ask(f"/{number}")[0], 200)
        answers = [client.receive_all()[0] for client in clients]
        stop.set()
        self.assertEqual({answer.split(b"\r\n", 1)[0] for answer in answers}, {b"HTTP/1.1 408 Request Timeout"})

    def test_a_body_that_drips_takes_no_pod_and_one_that_stops_gets_408(self) -> None:
        pod = RawPod(cpus=1)
        self.start(pod)
        dripping = RawClient(self.gateway, b"POST /drips HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        stopped = RawClient(self.gateway, b"POST /stops HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc")
        ending = threading.Thread(target=stopped.receive_all, daemon=True)
        ending.start()
        sent = 0
        # One drips for as long as the other, which stopped, is waited for.
        while ending.is_alive():
            dripping.send(b"x")
            sent += 1
            # The pod has room for one: whoever sends its body holds none of it.
            self.assertEqual(self.ask("/well")[0], 200)
            ending.join(0.2)
        dripping.send(b"x" * (1000 - sent))
        self.assertIn(b" 200 OK", dripping.receive(b"ok"))
        self.assertIn(b"HTTP/1.1 408 ", stopped.data)
        self.assertNotIn("/stops", pod.paths())

    def test_a_reader_that_takes_nothing_holds_the_pod_back_and_is_cut_off(self) -> None:
        size, sent, ended = 256 * MEBIBYTE, [0], threading.Event()

        def behave(request: Request) -> None:
            if request.path != "/big":
                return request.answer()
            request.connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            try:
                while sent[0] < size:
                    sent[0] += request.connection.send(b"x" * 65536)
            finally:
                ended.set()

        self.start(RawPod(behave), STREAM_IDLE_TIMEOUT=2)
        before = self.gateway.process.memory()
        client = RawClient(self.gateway, b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(ended.wait(PATIENCE), "the pod is held back for ever")
        self.assertLess(sent[0], 64 * MEBIBYTE)
        self.assertLess(self.gateway.process.memory("VmHWM") - before, 32 * MEBIBYTE)
        self.assertEqual(self.ask("/well")[0], 200)
        states = {row["target"]: (row["state"], row["reason"]) for row in self.rows(2)}
        self.assertEqual(states["/well"], ("completed", "ok"))
        self.assertEqual(states["/big"][0], "cancelled")
        client.close()

    def test_a_reader_that_is_steady_and_slower_than_the_buffers_is_not_cut_off(self) -> None:
        """Between two writes of the gateway more time passes than STREAM_IDLE_TIMEOUT, and the client reads all the while."""
        size = 8 * MEBIBYTE
        self.start(RawPod(lambda request: request.answer(b"x" * size)), STREAM_IDLE_TIMEOUT=3)
        client = RawClient(self.gateway, receive_buffer=32_768)
        client.send(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        data = client.receive(b"\r\n\r\n").partition(b"\r\n\r\n")[2]
        begin = time.monotonic()
        while time.monotonic() - begin < 8:
            data += client.socket.recv(8192)
            time.sleep(0.1)
        while more := client.socket.recv(1 << 20):
            data += more
        self.assertEqual(len(data), size)

    def test_a_reader_that_is_slow_gets_everything(self) -> None:
        size = 8 * MEBIBYTE
        self.start(RawPod(lambda request: request.answer(b"x" * size)))
        client = RawClient(self.gateway, b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        data = b""
        while more := client.socket.recv(131_072):
            data += more
            time.sleep(0.005)
        self.assertEqual(len(data.partition(b"\r\n\r\n")[2]), size)


class ManyConnections(FaultCase):
    def test_idle_ones_cost_nothing_that_stays(self) -> None:
        self.start(RawPod(), CLIENT_KEEPALIVE=600, HEADER_TIMEOUT=60)
        descriptors = self.descriptors()
        clients = []
        for _ in range(1500):
            clients.append(RawClient(self.gateway))
        for client in clients[::5]:
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        for client in clients[::5]:
            self.assertIn(b"200 OK", client.receive(b"ok"))
        self.assertEqual(self.ask("/well")[0], 200)
        self.assertGreater(self.descriptors(), descriptors + 1400)
        for client in clients:
            client.close()
        wait_for("they are given back", lambda: self.descriptors() < descriptors + 50, PATIENCE)

    def test_over_the_bound_the_idle_ones_make_room(self) -> None:
        self.start(RawPod(), MAX_CONNECTIONS=50, HEADER_TIMEOUT=60)
        idle = [RawClient(self.gateway) for _ in range(200)]
        for number in range(20):
            self.assertEqual(self.ask(f"/{number}")[0], 200)
        for client in idle:
            client.close()

    def test_a_flood_of_pipelined_requests_is_answered_in_order_and_held_in_bounds(self) -> None:
        count = 5000
        pod = RawPod()
        self.start(pod)
        before = self.gateway.process.memory()
        client = RawClient(self.gateway)
        flood = b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\nX-Padding: %s\r\n\r\n" % (number, b"y" * 500) for number in range(count))
        threading.Thread(target=client.send, args=(flood,), daemon=True).start()
        self.assertEqual(self.ask("/well")[0], 200)
        received, data = 0, b""
        while received < count:
            data += client.socket.recv(1 << 20)
            received += data.count(b"\r\n\r\nok")
            data = data[-2000:].rpartition(b"\r\n\r\nok")[2] if b"\r\n\r\nok" in data else data
        self.assertEqual([path for path in pod.paths() if path != "/well"], [f"/{number}" for number in range(count)])
        self.assertLess(self.gateway.process.memory("VmHWM") - before, 32 * MEBIBYTE)

    def test_a_flood_whose_answers_nobody_reads_stops_being_read(self) -> None:
        pod = RawPod(lambda request: request.answer(b"z" * 20_000))
        self.start(pod, STREAM_IDLE_TIMEOUT=PATIENCE)
        client = RawClient(self.gateway)
        client.socket.settimeout(2)
        sent = 0
        try:
            while sent < 64 * MEBIBYTE:
                sent += client.socket.send((b"GET /flood HTTP/1.1\r\nHost: x\r\nX-Padding: %s\r\n\r\n" % (b"y" * 4000)) * 16)
        except TimeoutError:
            pass
        self.assertLess(sent, 64 * MEBIBYTE)
        self.assertLess(self.gateway.process.memory("VmHWM"), 150 * MEBIBYTE)
        self.assertEqual(self.ask("/well")[0], 200)
        client.close()

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.gateway.process.pid}/fd"))


if __name__ == "__main__":
    unittest.main()
