import Core
import Dispatcher
import NIOCore
import Queue
import Testing

@Suite("Whether a request may be sent again, and what may be changed of it")
struct ReplayRuleTests {
    private func request(
        _ state: RequestState,
        method: RequestMethod? = .post,
        withheld: [String] = [],
        isBodyMissing: Bool = false
    ) -> ReplayFacts {
        ReplayFacts(
            id: RequestID(rawValue: 1),
            state: state,
            method: method,
            withheld: withheld,
            isBodyMissing: isBodyMissing
        )
    }

    private func reason(
        _ request: ReplayFacts,
        _ edits: ReplayEdits = .none,
        isConfirmed: Bool = false
    ) -> ReplayRefusal.Reason? {
        ReplayRule.refusal(of: request, edits: edits, isConfirmed: isConfirmed)?.reason
    }

    private func supplying(_ name: String, _ value: String? = "x") throws -> ReplayEdits {
        try ReplayEdits(fields: [ReplayEdits.Field(name: name, value: value)])
    }

    // MARK: The rule

    @Test("what another row stands for is left out of many, and may be sent again by itself")
    func replayed() {
        var facts = request(.expired)
        facts.isReplayed = true
        #expect(ReplayRule.refusal(of: facts, isConfirmed: true, isOneOfMany: true)?.reason == .alreadyReplayed)
        #expect(ReplayRule.refusal(of: facts, isConfirmed: false) == nil)
    }

    @Test("what no pod saw may go again without asking", arguments: [RequestState.expired, .abandoned])
    func unseen(state: RequestState) {
        #expect(reason(request(state)) == nil)
    }

    @Test(
        "what may have run must be confirmed unless it is idempotent",
        arguments: [RequestState.interrupted, .failed, .completed, .cancelled]
    )
    func mayHaveRun(state: RequestState) throws {
        #expect(reason(request(state)) == .confirmationNeeded)
        #expect(reason(request(state), isConfirmed: true) == nil)
        #expect(reason(request(state, method: .put)) == nil)
        // What is sent decides, not what was.
        #expect(reason(request(state), try ReplayEdits(method: "get")) == nil)
        #expect(reason(request(state, method: .put), try ReplayEdits(method: "POST")) == .confirmationNeeded)
    }

    @Test("what has not ended, or never was queued, is refused")
    func wrongState() {
        #expect(reason(request(.queued)) == .notEnded)
        #expect(reason(request(.dispatched)) == .notEnded)
        #expect(reason(request(.rejected)) == .neverQueued)
        #expect(reason(request(.expired, method: nil)) == .neverQueued)
    }

    @Test("what is missing is refused by name, unless it is supplied")
    func missing() throws {
        let withheld = request(.expired, withheld: ["Authorization"])
        #expect(
            ReplayRule.refusal(of: withheld, isConfirmed: false)?.description.contains("Authorization") == true
        )
        #expect(reason(withheld, try supplying("authorization")) == nil)
        #expect(reason(withheld, try supplying("Authorization", nil)) == .credentialsMissing)
        let parameter = request(.expired, withheld: ["?key"])
        #expect(reason(parameter) == .credentialsMissing)
        #expect(reason(parameter, try ReplayEdits(target: "/a?key=1")) == nil)
        let body = request(.expired, isBodyMissing: true)
        #expect(reason(body) == .bodyMissing)
        #expect(reason(body, try ReplayEdits(body: ByteBuffer())) == nil)
    }

    // MARK: Edits

    @Test(
        "fields that cannot be sent, or that frame the message, are refused",
        arguments: [
            ("X-A", "a\r\nB: c"), ("X A", "a"), ("", "a"), ("X-A", "\0"), ("X-A", " a"), ("X-A", "a\t"),
            ("Content-Length", "5"), ("transfer_encoding", "chunked"), ("Connection", "close"),
            ("Neutrino-Resources", "a"),
            ("NEUTRINO_REQUEST_ID", "a"), ("Expect", "100-continue"), ("Host", nil), ("TE", nil),
        ] as [(String, String?)]
    )
    func badFields(name: String, value: String?) {
        #expect(throws: ReplayRefusal.self) { try supplying(name, value) }
    }

    @Test(
        "the path is one of the gateway's own pods",
        arguments: ["http://other/x", "*", "a", "", "/a b", "/ü", "/a#b"]
    )
    func badTargets(target: String) throws {
        #expect(throws: ReplayRefusal.self) { try ReplayEdits(target: target) }
    }

    @Test("more than is sensible is refused")
    func bounds() throws {
        #expect(throws: ReplayRefusal.self) { try supplying("A", String(repeating: "a", count: 50_000)) }
        let many = (0...100).map { ReplayEdits.Field(name: "A\($0)", value: "") }
        #expect(throws: ReplayRefusal.self) { try ReplayEdits(fields: many) }
        #expect(throws: ReplayRefusal.self) { try ReplayEdits(target: "/" + String(repeating: "a", count: 20_000)) }
        #expect(throws: ReplayRefusal.self) { try ReplayEdits(method: "FETCH") }
        let large = ByteBuffer(repeating: 0, count: ReplayEdits.longestBody + 1)
        #expect(throws: ReplayRefusal.self) { try ReplayEdits(body: large) }
    }

    @Test("a supplied field stands in place of all of its name, one without a value is left out")
    func applies() throws {
        let fields = HeaderFields([("Host", "a"), ("X-A", "1"), ("x-a", "2"), ("X-B", "3")])
        let edits = try ReplayEdits(
            fields: [ReplayEdits.Field(name: "X-a", value: "4"), ReplayEdits.Field(name: "X-B", value: nil)]
        )
        let pairs = edits.applied(to: fields).pairs.map { "\($0.name): \($0.value)" }
        #expect(pairs == ["Host: a", "X-a: 4"])
        #expect(!edits.changesRoute)
        #expect(try ReplayEdits(target: "/").changesRoute)
    }
}
