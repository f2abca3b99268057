"""Pods that misbehave, one fault each, beside one that is well. Each of these tests also sees that the bad pod was met at all."""

from __future__ import annotations

import signal
import threading
import time
import unittest

from raw_pod import PATIENCE, FaultCase, RawClient, RawPod, Request, start_pod, wait_for

GET = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"


class BesideAWellOne(FaultCase):
    """An idempotent request is answered 200 by the pod that is well, whatever the other does."""

    def assert_idempotent_ones_are_answered(self, bad: RawPod, count: int = 8, **settings: object) -> None:
        well = RawPod()
        self.start(bad, well, **settings)
        for number in range(count):
            status, _, body = self.ask(f"/{number}", "PUT" if number % 2 else "GET", b"x" if number % 2 else None)
            self.assertEqual((status, body), (200, b"ok"), f"request {number}")
        self.assertTrue(bad.requests, "the bad pod was never asked")

    def test_silent(self) -> None:
        self.assert_idempotent_ones_are_answered(RawPod(Request.waits_for_end), 4)
        self.assertTrue(self.pods[0].requests[0].connection.fileno() < 0 or self.pods[0].requests[0].waits_for_end())

    def test_resets_after_the_request(self) -> None:
        self.assert_idempotent_ones_are_answered(RawPod(Request.reset))

    def test_closes_after_the_request(self) -> None:
        self.assert_idempotent_ones_are_answered(RawPod(lambda request: request.connection.close()))

    def test_closes_a_kept_connection_as_it_is_reused(self) -> None:
        reused = []

        def behave(request: Request) -> None:
            if request.index == 0:
                return request.answer()
            reused.append(request)
            request.connection.close()

        self.assert_idempotent_ones_are_answered(RawPod(behave), 12)
        self.assertTrue(reused, "no connection was used again")

    def test_answers_garbage(self) -> None:
        answers = [
            b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
            b"\0" * 100,
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n" * 200,
            b"HTTP/2.0 200 OK\r\n\r\n",
        ]

        def behave(request: Request) -> None:
            request.connection.sendall(answers[len(self.pods[0].requests) % len(answers)])
            request.waits_for_end()

        self.assert_idempotent_ones_are_answered(RawPod(behave), 18)
        self.assertGreaterEqual(len(self.pods[0].requests), 5)

    def test_endless_head(self) -> None:
        def behave(request: Request) -> None:
            request.connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while True:
                request.connection.sendall(b"X: " + b"y" * 1000 + b"\r\n")

        self.assert_idempotent_ones_are_answered(RawPod(behave), 6)

    def test_says_free_and_answers_busy(self) -> None:
        self.assert_idempotent_ones_are_answered(RawPod(lambda request: request.answer(b"busy", "503 Busy")), 10)

    def test_flaps(self) -> None:
        def behave(request: Request) -> None:
            if len(self.pods[0].requests) % 2:
                request.reset()
            else:
                request.answer()

        self.assert_idempotent_ones_are_answered(RawPod(behave), 16)

    def test_dies_between_its_sample_and_the_request(self) -> None:
        bad, well = RawPod(), RawPod()
        self.start(bad, well, CAPACITY_UPDATE_INTERVAL=5)
        bad.stop()
        for number in range(6):
            # No pod saw it: this holds for what is not idempotent too.
            self.assertEqual(self.ask(f"/{number}", "POST", b"x")[0], 200)
        self.assertEqual(len(well.requests), 6)

    def test_hangs_on_capacity_only(self) -> None:
        def capacity(request: Request) -> None:
            if bad.polls > 1:
                request.waits_for_end()
            else:
                bad.tell(request)

        bad = RawPod(capacity=capacity)
        well = RawPod()
        self.start(bad, well)
        wait_for("its sample is stale", lambda: not self.is_routable(bad), PATIENCE)
        asked, polls = len(bad.requests), well.polls
        for number in range(6):
            self.assertEqual(self.ask(f"/{number}")[0], 200)
        self.assertEqual(len(bad.requests), asked)
        # Nobody else's polls wait for it.
        wait_for("the other is polled on", lambda: well.polls > polls + 2, PATIENCE)

    def is_routable(self, pod: RawPod) -> bool:
        return self.pod_states()[pod.url]["routable"]

    def test_slow_to_the_first_byte(self) -> None:
        def behave(request: Request) -> None:
            time.sleep(0.7)
            request.answer(b"late")

        pod = RawPod(behave)
        self.start(pod)
        self.assertEqual(self.ask("/", "POST", b"x")[2], b"late")
        self.assertEqual(len(pod.requests), 1)


class AnswersThatBreakOff(FaultCase):
    """Once a byte was passed on nothing is tried again, and the client sees that the answer is not whole."""

    CASES = {
        "a length": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc",
        "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    }

    def assert_cut(self, end, reason: str) -> None:
        for name, answer in self.CASES.items():
            with self.subTest(name):

                def behave(request: Request, answer: bytes = answer) -> None:
                    request.connection.sendall(answer)
                    end(request)

                pod = RawPod(behave)
                gateway = self.start(pod, RawPod())
                clients = [RawClient(gateway, GET) for _ in range(2)]
                answers = [client.receive_all() if self.is_bad(client) else None for client in clients]
                cut = [each for each in answers if each]
                self.assertEqual(len(cut), 1)
                data, was_reset = cut[0]
                self.assertIn(b"abc", data)
                self.assertFalse(data.endswith(b"0\r\n\r\n"))
                self.assertTrue(was_reset or b"Content-Length: 1000" in data or b"chunked" in data)
                self.assertEqual(len(pod.requests), 1)
                states = sorted((row["state"], row["reason"]) for row in self.rows(2))
                self.assertEqual(states, [("completed", "ok"), ("failed", reason)])
                gateway.process.stop()

    @staticmethod
    def is_bad(client: RawClient) -> bool:
        return b"abc" in client.receive(b"\r\n\r\n") or client.receive(b"ok")[-2:] != b"ok"

    def test_cut_in_mid_answer(self) -> None:
        self.assert_cut(lambda request: request.connection.close(), "upstream_reset")

    def test_reset_in_mid_answer(self) -> None:
        self.assert_cut(Request.reset, "upstream_reset")

    def test_stalls_in_mid_answer(self) -> None:
        self.assert_cut(lambda request: request.waits_for_end(), "upstream_timeout")


class WhatMayNotBeRepeated(FaultCase):
    def test_a_post_that_a_pod_may_have_begun_is_sent_once(self) -> None:
        pods = [RawPod(Request.reset) for _ in range(3)]
        self.start(*pods)
        status, headers, _ = self.ask("/", "POST", b"x")
        self.assertEqual((status, headers["Neutrino-Reason"]), (502, "upstream_reset"))
        self.assertEqual(sum(len(pod.requests) for pod in pods), 1)

    def test_a_silent_pod_is_504_for_a_post(self) -> None:
        pods = [RawPod(Request.waits_for_end) for _ in range(2)]
        self.start(*pods)
        status, headers, _ = self.ask("/", "POST", b"x")
        self.assertEqual((status, headers["Neutrino-Reason"]), (504, "upstream_timeout"))
        self.assertEqual(sum(len(pod.requests) for pod in pods), 1)

    def test_at_the_hold_timeout_a_liars_last_answer_is_passed_on(self) -> None:
        self.start(RawPod(lambda request: request.answer(b"no room", "503 Busy", "X-Pod: mine\r\n")), HOLD_TIMEOUT=1)
        status, headers, body = self.ask()
        self.assertEqual((status, body, headers["X-Pod"]), (503, b"no room", "mine"))
        self.assertEqual(self.rows(1)[0]["state"], "expired")


class PoisonousRequests(FaultCase):
    """Requests that break whoever runs them."""

    @staticmethod
    def behave(request: Request) -> None:
        if request.path.startswith("/poison"):
            request.reset()
        else:
            request.answer()

    def test_one_reaches_at_most_max_attempts_pods(self) -> None:
        pods = [RawPod(self.behave) for _ in range(6)]
        self.start(*pods, MAX_ATTEMPTS=3)
        status, headers, _ = self.ask("/poison")
        self.assertEqual((status, headers["Neutrino-Reason"]), (502, "upstream_reset"))
        self.assertEqual(sum(len(pod.requests) for pod in pods), 3)
        self.assertEqual(sum(bool(pod.requests) for pod in pods), 3, "each attempt on another pod")

    def test_five_do_not_close_the_fleet_to_the_others(self) -> None:
        pods = [RawPod(self.behave) for _ in range(2)]
        self.start(*pods)
        for number in range(6):
            # In a row: each pod breaks more often than its breaker bears.
            for again in range(5):
                self.assertEqual(self.ask(f"/poison{number}-{again}")[0], 502)
            # Breakers stay open for longer than it may be held: it would be refused.
            self.assertEqual(self.ask(f"/well{number}")[0], 200)
        self.assertGreater(sum(len(pod.requests) for pod in pods), 60)

    def test_answering_500_in_a_row_opens_the_breaker_of_that_pod_alone(self) -> None:
        bad = RawPod(lambda request: request.answer(b"broken", "500 Broken"))
        self.start(bad, RawPod(), RawPod())
        begin = time.monotonic()
        statuses = [self.ask(f"/{number}")[0] for number in range(40)]
        # 500 is the pod's own answer; after five in a row others get the requests, but for one each time that the breaker lets one try.
        trials = int((time.monotonic() - begin) // 10)
        self.assertEqual(statuses.count(500), len(bad.requests))
        self.assertEqual(statuses.count(200), 40 - len(bad.requests))
        self.assertIn(len(bad.requests), range(5, 6 + trials))
        breakers = {url: pod["breaker"] == "closed" for url, pod in self.pod_states().items()}
        self.assertEqual(breakers, {pod.url: pod is not bad for pod in self.pods})


class VanishingPods(FaultCase):
    def test_from_discovery_with_work_in_flight(self) -> None:
        release, begun = threading.Event(), threading.Event()

        def behave(request: Request) -> None:
            begun.set()
            release.wait(PATIENCE)
            request.answer(b"done")

        leaving, staying = RawPod(behave), RawPod(cpus=0.5)
        self.start(leaving, staying, REQUEST_TIMEOUT=PATIENCE)
        client = RawClient(self.gateway, b"POST /work HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
        self.assertTrue(begun.wait(PATIENCE))
        staying.cpus = 100
        self.write_backends([staying])
        self.gateway.process.signal(signal.SIGHUP)
        wait_for("it is gone", lambda: any(state["gone"] for state in self.pod_states().values()), PATIENCE)
        wait_for("the other has room", lambda: any(state["available"]["cpus"] > 1 and not state["gone"] for state in self.pod_states().values()), PATIENCE)
        for number in range(4):
            self.assertEqual(self.ask(f"/{number}")[0], 200)
        self.assertEqual(leaving.paths(), ["/work"])
        release.set()
        self.assertIn(b"done", client.receive(b"done"))

    def test_dies_with_half_of_all_requests(self) -> None:
        """More than the retry budget's share, which is no reason to fail them beside a pod that is well."""
        dying, well = RawPod(lambda request: release.wait(PATIENCE)), RawPod(lambda request: (release.wait(PATIENCE), request.answer()))
        release = threading.Event()
        self.start(dying, well, REQUEST_TIMEOUT=PATIENCE)
        clients = [RawClient(self.gateway, GET) for _ in range(40)]
        wait_for("each has half", lambda: len(dying.requests) == len(well.requests) == 20, PATIENCE)
        for request in dying.requests:
            request.reset()
        release.set()
        for client in clients:
            self.assertIn(b"HTTP/1.1 200 ", client.receive(b"ok"))

    def test_from_the_network_with_work_in_flight(self) -> None:
        """As a machine that stands still: its kernel accepts and nobody answers."""
        stopped = start_pod(self.session, "stopped", 8, 0, 32)
        well = RawPod(cpus=0.5)
        self.start(stopped, well)
        client = RawClient(self.gateway, b"GET /work?ms=600 HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for("the pod has it", lambda: stopped.stats().get("running", 0), PATIENCE)
        stopped.server.process.signal(signal.SIGSTOP)
        self.addCleanup(stopped.server.process.signal, signal.SIGCONT)
        well.cpus = 100
        # REQUEST_TIMEOUT passes, and the pod that is well gets it.
        self.assertIn(b"HTTP/1.1 200 ", client.receive(b"ok"))
        self.assertEqual(well.paths(), ["/work?ms=600"])


if __name__ == "__main__":
    unittest.main()
