import Core
import Testing

@Suite("States of a request")
struct RequestStateTests {
    @Test("what is legal moves, and everything else is refused and changes nothing", arguments: RequestState.allCases)
    func moves(from: RequestState) throws {
        for next in RequestState.allCases {
            var state = from
            if from.successors.contains(next) {
                try state.move(to: next)
                #expect(state == next)
            } else {
                #expect(throws: IllegalMove(from: from, to: next)) { try state.move(to: next) }
                #expect(state == from)
            }
        }
    }

    @Test("the moves are those of the design")
    func table() {
        #expect(RequestState.queued.successors == [.dispatched, .expired, .cancelled, .abandoned])
        #expect(RequestState.dispatched.successors == [.completed, .failed, .queued, .cancelled, .interrupted])
        #expect(RequestState.allCases.filter(\.isTerminal).count == 7)
    }

    @Test("names read back", arguments: RequestState.allCases)
    func names(state: RequestState) {
        #expect(RequestState(name: state.name) == state)
        #expect(RequestState(name: "unknown") == nil)
    }
}
