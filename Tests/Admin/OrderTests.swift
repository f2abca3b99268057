import Foundation
import NIOCore
import Queue
import Testing

@testable import Admin

@Suite("What the bodies of operators' calls may say")
struct OrderTests {
    private func problem<Order: Decodable>(_ type: Order.Type, _ json: String) -> String? {
        do {
            _ = try JSON.read(type, from: ByteBuffer(string: json))
            return nil
        } catch {
            return (error as? AdminProblem)?.detail
        }
    }

    private func changes(_ json: String) throws -> [ControlChange] {
        try JSON.read(RouteOrder.self, from: ByteBuffer(string: json)).changes(of: "r")
    }

    @Test("a value is set, null gives it back, and what is not named stays")
    func route() throws {
        #expect(try changes(#"{"hold_timeout": 12.5}"#) == [.holdTimeout(.milliseconds(12_500), route: "r")])
        #expect(try changes(#"{"hold_timeout": null}"#) == [.holdTimeout(nil, route: "r")])
        #expect(
            try changes(#"{"max_concurrency": 4.0, "hold_timeout": 0}"#)
                == [.holdTimeout(.zero, route: "r"), .maxConcurrency(4, route: "r")]
        )
        #expect(try changes(#"{"max_concurrency": null}"#) == [.maxConcurrency(nil, route: "r")])
    }

    @Test(
        "a value out of bounds is refused with the value and the bounds",
        arguments: [
            (#"{"hold_timeout": -1}"#, "`hold_timeout` is -1; accepted are 0 to 86400 seconds, or null"),
            (#"{"hold_timeout": 86400.5}"#, "`hold_timeout` is 86400.5; accepted are 0 to 86400 seconds, or null"),
            (
                #"{"max_concurrency": 0}"#,
                "`max_concurrency` is 0; accepted are whole numbers from 1 to 1000000, or null"
            ),
            (
                #"{"max_concurrency": 1.5}"#,
                "`max_concurrency` is 1.5; accepted are whole numbers from 1 to 1000000, or null"
            ),
            (
                #"{"max_concurrency": 1e300}"#,
                "`max_concurrency` is 1e+300; accepted are whole numbers from 1 to 1000000, or null"
            ),
            (
                "{}",
                "nothing to change; accepted are `hold_timeout` (seconds) and `max_concurrency`, null gives one back"
            ),
        ]
    )
    func bounds(json: String, detail: String) {
        let problem = #expect(throws: AdminProblem.self) { try changes(json) }
        #expect(problem?.detail == detail)
    }

    @Test(
        "what is not understood is refused in words",
        arguments: [
            (#"{"hold_timeout": "12"}"#, "`hold_timeout` must be a number"),
            (
                #"{"needs": 12}"#,
                #"the body is not valid: unknown is "needs"; accepted are hold_timeout, max_concurrency"#
            ),
            (
                #"{"hold_timeOut": 12}"#,
                #"the body is not valid: unknown is "hold_timeOut"; accepted are hold_timeout, max_concurrency"#
            ),
            ("[]", "the body must be an object"),
            ("{", "the body is not valid: The given data was not valid JSON."),
        ]
    )
    func words(json: String, detail: String) {
        #expect(problem(RouteOrder.self, json) == detail)
    }

    @Test(
        "a member has one spelling, and a refusal names what was sent",
        arguments: ["dryRun", "DRY_RUN", "dry__run", "dry_run_", "_dry_run", "Dry_run", "replay_off", " dry_run"]
    )
    func spelling(name: String) {
        let detail = problem(PurgeOrder.self, "{\"filter\":{\"since\":0},\"\(name)\":true}")
        #expect(detail == "the body is not valid: unknown is \"\(name)\"; accepted are dry_run, filter")
        #expect(problem(PurgeOrder.self, #"{"filter":{"since":0},"dry_run":true}"#) == nil)
    }

    @Test(
        "a name that is there twice in one object is refused, however it is written",
        arguments: [
            (#"{"hold_timeout": 1, "hold_timeout": 2}"#, "hold_timeout"),
            (#"{"a": [1, {"b": {}, "c": "b", "b": 1}]}"#, "b"),
            (#"{"hold_timeout": 1, "hold\u005ftimeout": 2}"#, "hold_timeout"),
            (#"{"a": "x\\", "b\"": [], "b\"": {}}"#, "b\""), (#"{"a": {"a": 1}, "b": {"a": 1}}"#, nil),
            (#"{"a": ["a", "a"], "b": "a", "c": [{"a": 1}, {"a": 1}]}"#, nil), (#"["a", "a"]"#, nil), (#"{"a"#, nil),
            (#""a\"#, nil), ("}},{", nil), ("", nil),
        ] as [(String, String?)]
    )
    func repeatedNames(json: String, name: String?) {
        var json = json
        #expect(json.withUTF8 { RepeatedKeys.first(in: UnsafeRawBufferPointer($0)) } == name)
        if let name { #expect(problem(RouteOrder.self, json) == "the body is not valid: \"\(name)\" is there twice") }
    }

    @Test("names of header fields stay as they are written")
    func fields() throws {
        let json = #"{"headers":{"X_Edited":"a","xAuth-Token":"b","x__y":null}}"#
        let order = try JSON.read(ReplayOrder.self, from: ByteBuffer(string: json))
        #expect(order.headers?.keys.sorted() == ["X_Edited", "xAuth-Token", "x__y"])
    }

    @Test("a slip in the name of the route does not pause everything")
    func pause() throws {
        #expect(
            problem(PauseOrder.self, #"{"rout": "default"}"#)
                == #"the body is not valid: unknown is "rout"; accepted are route"#
        )
        #expect(problem(PauseOrder.self, #"{"route": null}"#) == "`route` must not be null")
        #expect(problem(PauseOrder.self, #"{"route": 1}"#) == "`route` must be a text")
        #expect(try JSON.read(PauseOrder.self, from: ByteBuffer(string: "{}")).route == nil)
    }

    @Test("what the command line writes is what the API reads")
    func written() throws {
        let order = RouteOrder(holdTimeout: .to(3), maxConcurrency: .givenBack)
        let json = try JSON.encoder.encode(order)
        #expect(String(decoding: json, as: UTF8.self) == #"{"hold_timeout":3,"max_concurrency":null}"#)
        #expect(try JSON.read(RouteOrder.self, from: ByteBuffer(bytes: json)).maxConcurrency == .givenBack)
    }
}
