import Core
import Dispatcher
import Foundation
import Ingress
import NIOCore
import NIOPosix
import Pods
import Queue
import Telemetry
import Testing

@testable import Gateway

@Suite("The metrics of a gateway")
struct MetricsDocumentTests {
    @Test("are what docs/metrics.md says: each name, type, label and meaning, and no other")
    func document() async throws {
        let exposition = try await live { try Exposition(parsing: await $0.metrics.text()) }
        let documented = try Self.rows()
        #expect(Set(documented.map(\.name)).count == documented.count)
        for row in documented {
            guard let family = exposition.families[row.name] else {
                Issue.record("\(row.name) is documented, but not told")
                continue
            }
            let told = Row(
                name: row.name,
                kind: family.kind,
                labels: family.labels,
                unit: row.unit,
                meaning: family.help
            )
            #expect(row == told)
            #expect(!row.unit.isEmpty)
            for unit in ["seconds", "bytes"] {
                let isNamed = row.name.hasSuffix("_\(unit)") || row.name.hasSuffix("_\(unit)_total")
                #expect(isNamed == (row.unit == unit), "\(row.name) is in \(row.unit)")
            }
        }
        let missing = Set(exposition.families.keys).subtracting(documented.map(\.name))
        #expect(
            missing.isEmpty,
            "not documented: \(missing.sorted().map { line(exposition, $0) }.joined(separator: "\n"))"
        )
    }

    @Test("of requests, demand and pods are what happened")
    func figures() async throws {
        let exposition = try await live { try Exposition(parsing: await $0.metrics.text()) }
        func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
            let owner =
                ["_bucket", "_count"].first { name.hasSuffix($0) }.map { String(name.dropLast($0.count)) } ?? name
            return exposition.families[owner]?.series[Exposition.Series(name: name, labels: labels)]
        }
        let ended = ["route": "default", "state": "completed", "reason": "ok", "status": "2xx"]
        #expect(exposition.families["neutrino_requests_total"]?.series.values.sorted() == [1])
        #expect(exposition.families["neutrino_requests_total"]?.order.first?.labels == ended)
        #expect(value("neutrino_request_hold_seconds_count", ["route": "default"]) == 1)
        #expect(value("neutrino_request_hold_seconds_bucket", ["route": "default", "le": "0.05"]) == 1)
        #expect(value("neutrino_request_hold_seconds_bucket", ["route": "default", "le": "0.025"]) == 0)
        // One waits for two GPUs of a pod that has one free.
        #expect(value("neutrino_queue_depth", ["priority": "live"]) == 1)
        #expect(value("neutrino_queue_depth", ["priority": "replay"]) == 0)
        #expect(exposition.families["neutrino_demand"]?.series.values.sorted() == [1, 2, 4])
        let pod = "http://10.0.0.7:80"
        #expect(value("neutrino_pod_available", ["pod": pod, "resource": "gpus"]) == 1)
        #expect(value("neutrino_pod_capacity", ["pod": pod, "resource": "memory_gb"]) == 32)
        #expect(value("neutrino_pod_breaker_state", ["pod": pod, "state": "closed"]) == 1)
        #expect(value("neutrino_pod_breaker_state", ["pod": pod, "state": "open"]) == 0)
        #expect(exposition.families["neutrino_storage_available"]?.series.values.first == 1)
    }

    @Test("are all that the dashboard and the alerts ask for")
    func deployment() throws {
        let documented = try Set(Self.rows().map(\.name))
        let parts = Set(documented.flatMap { name in ["_bucket", "_sum", "_count"].map { name + $0 } })
        for file in ["deploy/grafana/neutrino-gateway.json", "deploy/prometheus/alerts.yaml"] {
            let text = try TextFile.read(packagePath(file))
            let names = Set(text.matches(of: /\b(?:neutrino|process)_[a-z_]+/).map { String($0.output) })
            #expect(names.count > 10)
            let unknown = names.subtracting(documented).subtracting(parts)
            #expect(unknown.isEmpty, "\(file) asks for \(unknown.sorted())")
        }
    }

    @Test("are told over HTTP to whoever asks, by any name; the history is with the operators' calls")
    func overHTTP() async throws {
        struct History: Decodable {
            var interval: Double
            var points: [Point]
            struct Point: Decodable { var completed: Int }
        }
        try await withFolder { folder in
            let server = try await openGateway(["--database-path", "\(folder)/n.db"], Written())
            try await running(server) { port in
                let client = CurlClient()
                defer { client.shutdown() }
                var request = CurlRequest(url: "http://127.0.0.1:\(port)/metrics")
                request.fields = [("Host", "prometheus.example")]
                let metrics = try await client.send(request)
                #expect(metrics.status == 200)
                let exposition = try Exposition(parsing: String(decoding: metrics.body, as: UTF8.self))
                #expect(
                    exposition.families["neutrino_build_info"]?.order.first?.labels == [
                        "version": ProgramVersion.current
                    ]
                )
                let history = try await client.send(CurlRequest(url: "http://127.0.0.1:\(port)/admin/api/history"))
                #expect(history.status == 200)
                let read = try JSONDecoder().decode(History.self, from: Data(history.body))
                #expect(read.interval == 5)
                #expect(read.points.count == 180)
            }
        }
    }

    // MARK: - Helpers

    private struct Row: Equatable {
        var name: String
        var kind: String
        var labels: Set<String>
        var unit: String
        var meaning: String
    }

    /// The rows of the tables: `name`, type, labels, unit, meaning.
    private static func rows() throws -> [Row] {
        try TextFile.read(packagePath("docs/metrics.md")).split(separator: "\n").compactMap { line in
            guard line.hasPrefix("| `") else { return nil }
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 5 else { return nil }
            let labels = cells[2].split(separator: ",").map {
                $0.trimmingCharacters(in: CharacterSet(charactersIn: "` "))
            }
            return Row(
                name: cells[0].trimmingCharacters(in: CharacterSet(charactersIn: "`")),
                kind: cells[1],
                labels: Set(labels).subtracting(["–"]),
                unit: cells[3],
                meaning: cells[4]
            )
        }
    }

    private func line(_ exposition: Exposition, _ name: String) -> String {
        guard let family = exposition.families[name] else { return name }
        let labels = family.labels.sorted().map { "`\($0)`" }.joined(separator: ", ")
        return "| `\(name)` | \(family.kind) | \(labels.isEmpty ? "–" : labels) |  | \(family.help) |"
    }

    /// A gateway with a pod, a request that ended and one that waits.
    private func live<Value: Sendable>(_ body: @Sendable (GatewayParts) async throws -> Value) async throws -> Value {
        var value: Value?
        try await withFolder { folder in
            let server = try await openGateway(["--database-path", "\(folder)/n.db"], Written())
            do {
                try await fill(server.parts)
                value = try await body(server.parts)
                await server.dispatcher.refuseAllWaiting()
                await server.close()
            } catch {
                await server.close()
                throw error
            }
        }
        return try #require(value)
    }

    private func fill(_ parts: GatewayParts) async throws {
        let dispatcher = parts.dispatcher
        let pod = Pod(key: 1, description: PodDescription(host: "10.0.0.7", port: 80))
        dispatcher.podsChanged([pod])
        let now = NIODeadline.now()
        let free = ResourceVector(cpus: 8000, gpus: 1000, memory: 16_000)
        let total = ResourceVector(cpus: 8000, gpus: 2000, memory: 32_000)
        dispatcher.sampled(pod, CapacityReport(available: free, total: total), sentAt: now, receivedAt: now)
        let route = parts.routes.current.default
        parts.queue.meter.ended(
            Outcome(
                id: RequestID(rawValue: 1),
                route: route,
                state: .completed,
                reason: .ok,
                status: 200,
                attempts: 2,
                hold: .milliseconds(30),
                upstream: .milliseconds(50),
                total: .milliseconds(80)
            )
        )
        let sink = SilentSink()
        let loop = parts.group.next()
        let request = QueuedRequest(
            eventLoop: loop,
            route: route,
            method: .post,
            target: ByteBuffer(string: "/"),
            fields: HeaderFields(),
            body: .none,
            needs: ResourceVector(cpus: 1000, gpus: 2000, memory: 4000),
            clientAddress: "",
            arrivedAt: now,
            sink: sink
        )
        try await loop.submit { sink.source = dispatcher.submit(request) }.get()
    }
}

/// A client that says nothing.
private final class SilentSink: AnswerSink, @unchecked Sendable {
    // `@unchecked`: used on its request's loop only.
    var source: (any AnswerSource)?

    func begin(_ head: ResponseHead, framing: BodyFraming, timing: AnswerTiming) {}
    func body(_ bytes: ByteBuffer) {}
    func end(trailers: HeaderFields?) {}
    func abort() {}
    func refuse(_ refusal: Refusal) {}
}
