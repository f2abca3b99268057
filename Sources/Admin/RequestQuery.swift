import Core
import Foundation
import Hummingbird
import Queue

/// The query of `GET /admin/api/requests`: filters that combine, and where the page begins.
struct RequestQuery {
    var filter = LogFilter()
    var before: Core.RequestID?
    var limit = 50

    /// Rows of one page at most.
    static let longestPage = 500

    /// - Throws: ``AdminProblem`` that names the parameter, its value and what is accepted.
    init(_ parameters: Parameters) throws {
        for (name, value) in parameters {
            let value = String(value)
            switch name {
            case "state": filter.states = try Set(value.split(separator: ",").map { try Self.state(String($0)) })
            case "reason": filter.reasons = try Set(value.split(separator: ",").map { try Self.reason(String($0)) })
            case "route": filter.routeID = try Self.name(value, "route")
            case "pod": filter.podID = try Self.name(value, "pod")
            case "status": filter.statuses = try Self.statuses(value)
            case "since": filter.sinceMilliseconds = try Self.time(value, "since")
            case "until": filter.untilMilliseconds = try Self.time(value, "until")
            case "text": filter.text = try Self.text(value)
            case "replay_of": filter.replayOf = try Self.id(value, String(name))
            case "replay_job": filter.replayJob = try Self.job(value, String(name))
            case "before": before = try Self.id(value, String(name))
            case "limit": limit = try Self.limit(value)
            default:
                throw AdminProblem.badRequest(
                    """
                    unknown parameter \(name); accepted are state, reason, route, pod, status, since, until, text, \
                    replay_of, replay_job, before, limit
                    """
                )
            }
        }
    }

    static func id(_ text: String, _ name: String) throws -> Core.RequestID {
        guard let id = Core.RequestID(text) else { throw AdminProblem.badParameter(name, text, "a request id") }
        return id
    }

    static func job(_ text: String, _ name: String) throws -> ReplayJobID {
        guard let id = ReplayJobID(text) else { throw AdminProblem.badParameter(name, text, "the id of a replay job") }
        return id
    }

    static func text(_ text: String) throws -> String? {
        // SQLite ends a text at U+0000: what is asked for would be less than what was said.
        guard text.unicodeScalars.count <= 256, !text.unicodeScalars.contains("\0") else {
            throw AdminProblem.badParameter("text", text, "at most 256 characters, none of them U+0000")
        }
        return text.isEmpty ? nil : text
    }

    /// Of a route or a pod.
    static func name(_ text: String, _ name: String) throws -> String {
        guard text.unicodeScalars.count <= 1024, !text.unicodeScalars.contains("\0") else {
            throw AdminProblem.badParameter(name, text, "at most 1024 characters, none of them U+0000")
        }
        return text
    }

    /// 1 … ``longestPage``.
    static func limit(_ value: some StringProtocol) throws -> Int {
        guard let number = Int(value), (1...longestPage).contains(number) else {
            throw AdminProblem.badParameter("limit", value, "1 to \(longestPage)")
        }
        return number
    }

    static func state(_ name: String) throws -> RequestState {
        guard let state = RequestState(name: name) else {
            throw AdminProblem.badParameter("state", name, RequestState.allCases.map(\.name).joined(separator: ", "))
        }
        return state
    }

    static func reason(_ name: String) throws -> EndReason {
        guard let reason = EndReason(rawValue: name) else {
            throw AdminProblem.badParameter("reason", name, EndReason.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return reason
    }

    /// `503`, `5xx` or `500-599`.
    static func statuses(_ text: String) throws -> ClosedRange<Int> {
        if text.count == 3, text.lowercased().hasSuffix("xx"), let hundred = text.first?.wholeNumberValue,
            (1...9).contains(hundred)
        {
            return hundred * 100...hundred * 100 + 99
        }
        let bounds = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard bounds.count <= 2, let low = bounds.first ?? nil, let high = bounds.last ?? nil, low <= high,
            (100...999).contains(low),
            high <= 999
        else { throw AdminProblem.badParameter("status", text, "503, 5xx or 500-599") }
        return low...high
    }

    /// The end of the year 9999, the last that RFC 3339 can tell, in milliseconds since 1970.
    static let latest: Int64 = 253_402_300_799_999

    /// RFC 3339, or milliseconds since 1970.
    static func time(_ text: String, _ name: String) throws -> Int64 {
        if let number = Int64(text), (0...latest).contains(number) { return number }
        for style in [Date.ISO8601FormatStyle(includingFractionalSeconds: true), Date.ISO8601FormatStyle()] {
            if let date = try? style.parse(text) { return Int64((date.timeIntervalSince1970 * 1000).rounded()) }
        }
        throw AdminProblem.badParameter(name, text, "2026-01-31T12:00:00Z, or milliseconds since 1970")
    }
}
