import Core
import NIOCore
import Testing

@testable import Admin
@testable import Queue

@Suite("Whether a request may be replayed")
struct ReplayRuleTests {
    private func source(
        _ state: RequestState,
        method: RequestMethod = .post,
        withheld: [String] = [],
        isBodyMissing: Bool = false
    ) -> ReplaySource {
        ReplaySource(
            id: RequestID(rawValue: 1),
            state: state,
            method: method,
            target: ByteBuffer(string: "/"),
            fields: HeaderFields(),
            body: .none,
            routeID: Route.defaultID,
            needs: .zero,
            withheld: withheld,
            isBodyMissing: isBodyMissing,
            clientAddress: ""
        )
    }

    private func reason(_ source: ReplaySource, _ order: ReplayOrder = ReplayOrder()) -> String? {
        ReplayRule(source, order).refusal?.reason
    }

    @Test("what no pod saw may go again without asking", arguments: [RequestState.expired, .abandoned])
    func unseen(state: RequestState) {
        #expect(reason(source(state)) == nil)
    }

    @Test(
        "what may have run must be confirmed unless it is idempotent",
        arguments: [RequestState.interrupted, .failed, .completed, .cancelled]
    )
    func mayHaveRun(state: RequestState) {
        #expect(reason(source(state)) == "confirmation_needed")
        #expect(reason(source(state), ReplayOrder(confirm: true)) == nil)
        #expect(reason(source(state, method: .put)) == nil)
    }

    @Test("what has not ended, or never was queued, is refused")
    func wrongState() {
        #expect(reason(source(.queued)) == "not_ended")
        #expect(reason(source(.dispatched)) == "not_ended")
        #expect(reason(source(.rejected)) == "never_queued")
    }

    @Test("what is missing is refused by name, unless it is supplied")
    func missing() {
        let withheld = source(.expired, withheld: ["Authorization"])
        #expect(ReplayRule(withheld, ReplayOrder()).refusal?.detail.contains("Authorization") == true)
        #expect(reason(withheld, ReplayOrder(headers: ["authorization": "Bearer x"])) == nil)
        #expect(reason(source(.expired, isBodyMissing: true)) == "body_missing")
    }

    @Test(
        "fields that cannot be sent are refused",
        arguments: [("X-A", "a\r\nB: c"), ("X A", "a"), ("", "a"), ("X-A", "\0")]
    )
    func badFields(name: String, value: String) {
        #expect(reason(source(.expired), ReplayOrder(headers: [name: value])) == "bad_request")
    }
}
