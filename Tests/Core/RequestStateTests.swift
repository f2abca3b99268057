import Core
import Testing

@Suite("States of a request")
struct RequestStateTests {
    @Test("what is legal moves, and everything else is refused and changes nothing", arguments: RequestState.allCases)
    func moves(from: RequestState) throws {
        for next in RequestState.allCases {
            var state = from
            if from.mayBecome(next) {
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
        func successors(_ state: RequestState) -> [RequestState] { RequestState.allCases.filter(state.mayBecome) }
        #expect(Set(successors(.queued)) == [.dispatched, .expired, .cancelled, .abandoned])
        #expect(Set(successors(.dispatched)) == [.completed, .failed, .queued, .cancelled, .interrupted])
        for state in RequestState.allCases { #expect(state.isTerminal == successors(state).isEmpty) }
    }

    @Test("names read back", arguments: RequestState.allCases)
    func names(state: RequestState) {
        #expect(RequestState(name: state.name) == state)
        #expect(RequestState(name: "unknown") == nil)
    }
}
