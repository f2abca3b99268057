import Admin
import Foundation
import Testing

/// The names of the JSON are a promise to programs: what is read is written again to the byte.
@Suite("What the API writes, the command line reads")
struct PayloadTests {
    private func isUnchanged<Payload: Codable>(_ type: Payload.Type, _ json: String) throws -> Bool {
        let written = try JSON.encoder.encode(JSON.decoder.decode(type, from: Data(json.utf8)))
        return String(decoding: written, as: UTF8.self) == json
    }

    @Test("the queue")
    func queue() throws {
        let json = """
            {"bytes":2048,"depth":1,"dispatched":3,"draining":false,"lacking":[{"depth":1,"name":"gpus","oldest_age":2.114}],\
            "lines":[{"deadline_in":27.886,"depth":1,"explanation":"needs gpus=1","first":"0AMCGAA6W0000","needs":{"cpus":1,"gpus":1,"memory_gb":8},\
            "oldest_age":2.114,"priority":"live","reserved_pod":"a","route":"POST /v1/train","why":"gpus"}],"oldest_age":2.114,\
            "paused":false,"recorded":12,"replays":{"depth":0,"oldest_age":0},"routes":[{"depth":1,"dispatched":2,"max_concurrency":4,"name":"POST /v1/train",\
            "oldest_age":2.114,"paused":true,\
            "waits":{"count":2,"max":4.5,"p50":1.5,"p90":4.5,"p99":4.5,"window":900}}],\
            "waits":{"count":0,"max":null,"p50":null,"p90":null,"p99":null,"window":900}}
            """
        #expect(try isUnchanged(QueuePayload.self, json))
    }

    @Test("the history, where null is not left out")
    func history() throws {
        let json = """
            {"interval":5,"points":[{"at":"2026-11-23T10:00:00.000Z","cancelled":1,"completed":2,"depth":3,"expired":4,"failed":5,\
            "hold_p50":0.25,"hold_p99":1.5,"oldest_age":2.5,"rejected":6,"server_errors":1,"upstream_p50":null,"upstream_p99":null}]}
            """
        #expect(try isUnchanged(HistoryPayload.self, json))
    }

    @Test("pods")
    func pods() throws {
        let json = """
            {"discovery":{"mode":"kubernetes","problem":"p","skipped":[{"mistake":true,"name":"b","namespace":"n","node":"m","reason":"r"}]},\
            "pods":[{"available":{"cpus":8,"gpus":2,"memory_gb":32},"breaker":"open","breaker_reopens_in":9.5,"counts":{"aborted":1,\
            "answered":2,"busy":3,"connect_failed":4,"dispatched":5,"polls":6,"polls_failed":7,"resets":8,"server_errors":9,\
            "timeouts":10},"drained":false,"draining":false,"failed_polls":1,"gone":false,"healthy":true,"id":"a:1","idle_workers":3,\
            "leased":{"cpus":0,"gpus":0,"memory_gb":0},"leases":0,"name":"a","namespace":"n","node":"m","poll_problem":"timed out",\
            "reserved_for_route":"POST /v1/train","routable":true,"sample_age":1.5,"stale":false,\
            "total":{"cpus":8,"gpus":2,"memory_gb":32},"total_reported":true,"total_workers":4,"url":"http://a:1"}]}
            """
        #expect(try isUnchanged(PodsPayload.self, json))
    }

    @Test("routes")
    func routes() throws {
        let json = """
            {"routes":[{"configured_hold_timeout":30,"configured_max_concurrency":8,"hold_timeout":12.5,"id":"POST /v1/train",\
            "max_concurrency":4,"max_queue_depth":100,"method":"POST","needs":{"cpus":1,"gpus":1,"memory_gb":8},"path":"/v1/train","paused":false,\
            "request_timeout":300,"retry":"idempotent",\
            "sources":{"hold_timeout":"operator","max_concurrency":"operator","max_queue_depth":"configuration","needs":"openapi",\
            "request_timeout":"default","retry":"default"}}]}
            """
        #expect(try isUnchanged(RoutesPayload.self, json))
    }

    @Test("changes, and what is paused")
    func changes() throws {
        let json = """
            {"changes":[{"action":"hold_timeout","at":"2026-11-23T10:00:00.000Z","by":"admin","client":"127.0.0.1","from":"30","id":7,\
            "subject":"POST /v1/train","to":"12.5"}],"next":7}
            """
        #expect(try isUnchanged(ChangesPayload.self, json))
        #expect(try isUnchanged(PausePayload.self, "{\"paused\":true,\"routes\":[\"POST /v1/train\"]}"))
    }

    private static let summary = """
        {"accepted_at":"2026-11-23T10:00:00.000Z","answer_bytes":5,"attempts":1,"body_bytes":2,"client":"127.0.0.1",\
        "detail":"why","ended_at":"2026-11-23T10:00:01.000Z","first_byte":0.2,"hold":0.1,"id":"0DZ0000000001",\
        "method":"POST","path":"/v1/train?a=1","pod":"a:1","priority":"live","reason":"ok","replay_of":"0DZ0000000000",\
        "route":"POST /v1/train","state":"completed","status":200,"total":0.4,"upstream":0.3}
        """

    @Test("a page of the log")
    func requests() throws {
        #expect(
            try isUnchanged(
                RequestsPayload.self,
                "{\"next\":\"0DZ0000000001\",\"requests\":[\(Self.summary)],\"scanned\":1}"
            )
        )
    }

    @Test("one request")
    func request() throws {
        let json = """
            {"answer":{"body":{"base64":"/w==","bytes":1,"is_cut":false,"kind":"kept"},"headers":[{"name":"A","value":"b"}],\
            "status":200,"withheld":["Set-Cookie"]},"attempts":[{"at":"2026-11-23T10:00:00.000Z","number":1,"pod":"a:1"}],\
            "body":{"bytes":2,"is_cut":false,"kind":"kept","text":"{}"},"headers":[],"needs":{"cpus":1,"gpus":1,"memory_gb":8},\
            "replays":["0DZ0000000002"],"request":\(Self.summary),\
            "timeline":[{"at":"2026-11-23T10:00:00.000Z","pod":"a:1","state":"dispatched"}],"withheld":["Authorization"]}
            """
        #expect(try isUnchanged(RequestPayload.self, json))
    }
}
