import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// `GET /admin/api/openapi.json`: what the calls tell of themselves, as one OpenAPI 3.1 document. A test holds that no call is missing.
struct AdminDocument: Sendable {
    /// Every call, in the order of its group.
    static let calls =
        QueueCalls.document + PodCalls.document + RouteCalls.document + RequestCalls.document
        + ChangeCalls.document
        + ReplayCalls.document + StorageCalls.document + EventCalls.document + SessionCalls.document + [document]
        + health

    /// What calls refer to by name.
    private static let schemas: [(String, Schema)] =
        [("Problem", ProblemPayload.schema), ("Needs", NeedsPayload.schema)] + QueueCalls.schemas
        + PodCalls.schemas
        + RouteCalls.schemas + RequestCalls.schemas + ReplayCalls.schemas + ChangeCalls.schemas

    private static let document = CallDocument(
        method: .get,
        path: "/admin/api/openapi.json",
        summary: "This document",
        answers: [.json(.map(of: .anything))]
    )

    private static let health = [
        CallDocument(
            method: .get,
            path: "/health",
            summary: "Whether the process lives",
            answers: [.stream("text/plain", "It does.")],
            isOpen: true
        ),
        CallDocument(
            method: .get,
            path: "/ready",
            summary: "Whether requests are taken, and what is in trouble",
            answers: [
                .json(.named("Readiness"), "They are."),
                .json(.named("Readiness"), status: 503, "Not yet, or no longer."),
            ],
            isOpen: true
        ),
        CallDocument(
            method: .get,
            path: "/metrics",
            summary: "What Prometheus scrapes",
            answers: [.stream("text/plain", "In its text format.")],
            problems: [401, 429],
            isOpen: true
        ),
    ]

    /// As it is sent.
    let bytes: ByteBuffer

    /// - Parameter version: The program's.
    init(version: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        bytes = ByteBuffer(bytes: try encoder.encode(Self.json(version: version)))
    }

    func add(to api: RouterGroup<AdminContext>) {
        api.get("/openapi.json") { [bytes] _, _ in
            Response(
                status: .ok,
                headers: [.contentType: "application/json"],
                body: ResponseBody(byteBuffer: bytes)
            )
        }
    }

    private static func json(version: String) -> JSONValue {
        var paths: [(String, JSONValue)] = []
        for call in calls {
            let method = call.method.rawValue.lowercased()
            if let index = paths.firstIndex(where: { $0.0 == call.path }) {
                paths[index].1 = paths[index].1.with(method, call.json)
            } else {
                paths.append((call.path, .object([(method, call.json)])))
            }
        }
        let readiness = Schema.object([
            "status": .word(["starting", "ready", "draining"]), "database_open": .flag,
            "discovery_tried": .flag,
            "problems": .map(of: .text),
        ])
        let problem: JSONValue = [
            "description": "Why not: `reason` for programs, `detail` for people (RFC 9457).",
            "content": ["application/problem+json": ["schema": Schema.named("Problem").json]],
        ]
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Neutrino Gateway, for operators",
                "version": .text(version),
                "description":
                    "Durations and ages are in seconds, resources in whole units. What there is not is left out.",
            ],
            "servers": [["url": "/"]],
            "security": [[:], ["token": []], ["session": []]],
            "paths": .object(paths),
            "components": [
                "schemas": .object((schemas + [("Readiness", readiness)]).map { ($0.0, $0.1.json) }),
                "responses": ["Problem": problem],
                "securitySchemes": [
                    "token": ["type": "http", "scheme": "bearer"],
                    "session": ["type": "apiKey", "in": "cookie", "name": .text(SessionCookie.name)],
                ],
            ],
        ]
    }
}

extension ProblemPayload {
    static let schema = Schema.object([
        "type": .text, "title": .text, "status": .integer(400...599), "detail": .text, "reason": .text,
    ])
}

extension NeedsPayload {
    static let schema = Schema.object(["cpus": .number, "gpus": .number, "memory_gb": .number])
}
