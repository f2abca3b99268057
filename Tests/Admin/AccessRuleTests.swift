import Foundation
import Testing

@testable import Admin

@Suite("Who may call the operators' listener")
struct AccessRuleTests {
    @Test(
        "names of loopback and allowed ones are accepted, with or without a port",
        arguments: [
            "localhost", "localhost:9090", "LOCALHOST", "127.0.0.1:9090", "127.8.9.10", "[::1]:9090", "[::1]",
            "gateway.internal:9090",
        ]
    )
    func accepts(authority: String) {
        #expect(HostRule(allowed: ["Gateway.internal"]).allows(authority))
    }

    @Test(
        "every other name is refused",
        arguments: [
            "", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "128.0", "127.0.0.256",
            "10.0.0.1", "[::2]",
            "localhost:port", "[::1", ":9090", "0.0.0.0",
        ]
    )
    func refuses(authority: String) {
        #expect(!HostRule(allowed: ["gateway.internal"]).allows(authority))
    }

    @Test("a request without a host is refused")
    func refusesNone() {
        #expect(!HostRule(allowed: []).allows(nil))
    }
}

@Suite("The filters of the request log")
struct RequestQueryTests {
    @Test("statuses are one, a hundred or a range")
    func statuses() throws {
        #expect(try RequestQuery.statuses("503") == 503...503)
        #expect(try RequestQuery.statuses("5xx") == 500...599)
        #expect(try RequestQuery.statuses("500-504") == 500...504)
    }

    @Test(
        "other statuses are refused in words",
        arguments: ["", "xx", "0xx", "99", "504-500", "500-", "-500", "1-2-3", "5x"]
    )
    func refusesStatuses(text: String) {
        #expect(throws: AdminProblem.self) { try RequestQuery.statuses(text) }
    }

    @Test("times are RFC 3339 or milliseconds since 1970")
    func times() throws {
        #expect(try RequestQuery.time("1970-01-01T00:00:01Z", "since") == 1000)
        #expect(try RequestQuery.time("1970-01-01T00:00:01.250Z", "since") == 1250)
        #expect(try RequestQuery.time("1234", "since") == 1234)
        #expect(throws: AdminProblem.self) { try RequestQuery.time("yesterday", "since") }
        #expect(throws: AdminProblem.self) { try RequestQuery.time("-1", "since") }
        #expect(throws: AdminProblem.self) { try RequestQuery.time("253402300800000", "since") }
    }
}
