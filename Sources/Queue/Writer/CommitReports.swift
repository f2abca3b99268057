import Core
import NIOCore

/// Who is to hear of one commit, by event loop: each loop is woken once.
struct CommitReports {
    /// One receiver and what it handed over.
    private struct Waiting {
        let receiver: any CommitReceiver
        let pod: Pod?
        let problem: StorageProblem?
    }

    /// What is handed to a loop. `@unchecked`: the receivers are touched on that loop only, which is theirs.
    private struct Delivery: @unchecked Sendable {
        let waiting: [Waiting]
    }

    private var loops: [(eventLoop: any EventLoop, waiting: [Waiting])] = []

    init() {}

    /// - Parameter problem: nil where what was handed over is durable.
    mutating func add(_ row: PendingRow, _ problem: StorageProblem?) {
        let waiting = Waiting(receiver: row.receiver, pod: row.pod, problem: problem)
        // As many as there are event loops: a handful.
        for index in loops.indices where loops[index].eventLoop === row.eventLoop {
            loops[index].waiting.append(waiting)
            return
        }
        loops.append((row.eventLoop, [waiting]))
    }

    /// Tells all of them, and forgets them.
    mutating func send() {
        for index in loops.indices where !loops[index].waiting.isEmpty {
            let delivery = Delivery(waiting: loops[index].waiting)
            loops[index].waiting = []
            loops[index].eventLoop.execute {
                for waiting in delivery.waiting {
                    if let problem = waiting.problem {
                        waiting.receiver.commitFailed(problem)
                    } else {
                        waiting.receiver.committed(pod: waiting.pod)
                    }
                }
            }
        }
    }
}
