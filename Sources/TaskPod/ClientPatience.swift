import NIOCore

/// How long a client may take for what it has begun to send: one deadline, and one timer that is left alone while it fires early enough.
/// Used on the connection's event loop only.
final class ClientPatience {
    private let eventLoop: any EventLoop
    private let onEnd: () -> Void
    private var deadline: NIODeadline?
    private var timer: Scheduled<Void>?
    private var timerAt = NIODeadline.distantFuture

    /// - Parameter onEnd: Called when the time has passed; by then nothing is waited for.
    init(eventLoop: any EventLoop, onEnd: @escaping () -> Void) {
        self.eventLoop = eventLoop
        self.onEnd = onEnd
    }

    /// Waits from now on, whatever was waited for before.
    func wait(_ time: TimeAmount) {
        let deadline = NIODeadline.now() + time
        self.deadline = deadline
        guard timer == nil || timerAt > deadline else { return }
        timer?.cancel()
        arm(deadline)
    }

    /// It is not the client's turn.
    func stop() { deadline = nil }

    /// Lets go of everything: the connection is gone.
    func end() {
        deadline = nil
        timer?.cancel()
        timer = nil
    }

    private func arm(_ time: NIODeadline) {
        timerAt = time
        timer = eventLoop.assumeIsolated().scheduleTask(deadline: time) { [weak self] in
            if let self { fired() }
        }
    }

    private func fired() {
        timer = nil
        guard let deadline else { return }
        guard NIODeadline.now() >= deadline else { return arm(deadline) }
        self.deadline = nil
        onEnd()
    }
}
