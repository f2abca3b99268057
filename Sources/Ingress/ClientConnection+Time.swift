import Logging
import NIOCore
import Queue

/// What is waited for, and what becomes of the connection when it does not come.
extension ClientConnection {
    func wait(_ kind: Deadline, _ time: TimeAmount) {
        guard kind != .none else {
            deadline = .none
            deadlineAt = .distantFuture
            return
        }
        wait(kind, until: eventLoop.now + time)
    }

    /// More of the body is to come, and fast enough.
    func waitForBody(_ exchange: ClientExchange) {
        bodyUntil = eventLoop.now + loop.shared.timeouts.body
        wait(.body, until: min(bodyUntil, exchange.pace.until))
    }

    /// The body did not come, or the window that its rate is averaged over has ended.
    private func bodyIsDue() {
        guard let exchange else { return close() }
        let (now, budget) = (eventLoop.now, loop.shared.budget)
        let isLate = now >= bodyUntil
        if !isLate, exchange.pace.isKept(at: now, isPressed: budget.used > budget.limit / 2) {
            return wait(.body, until: min(bodyUntil, exchange.pace.until))
        }
        guard exchange.answer == .awaited else { return close() }
        let configuration = loop.shared.configuration
        refuse(
            .timeout(
                isLate
                    ? "no more of the body came for \(configuration.bodyTimeout)"
                    : "too little of the body came within \(configuration.bodyRateWindow)"
            )
        )
    }

    /// The client is to take more before more can be written.
    func waitForSending() {
        sending = SendProgress(within: loop.shared.timeouts.send, since: eventLoop.now)
        wait(.send, until: sending.nextLook(after: eventLoop.now))
    }

    private func sendingIsDue() {
        if let next = sending.look(context?.channel.acknowledgedBytes, at: eventLoop.now) {
            return wait(.send, until: next)
        }
        loop.shared.logger.debug("client takes no more of its answer")
        reset()
    }

    /// Sets the one deadline that there is. The timer is left alone where it fires before: it sees then that there is time left.
    func wait(_ kind: Deadline, until time: NIODeadline) {
        deadline = kind
        deadlineAt = time
        guard timer == nil || timerAt > time else { return }
        timer?.cancel()
        arm(time)
    }

    private func arm(_ time: NIODeadline) {
        timerAt = time
        timer = try? eventLoop.scheduleCallback(at: time, handler: self)
    }
}

extension ClientConnection: NIOScheduledCallbackHandler {
    func handleScheduledCallback(eventLoop: some EventLoop) {
        timer = nil
        guard state != .closed, deadline != .none else { return }
        guard eventLoop.now >= deadlineAt else { return arm(deadlineAt) }
        let timeouts = loop.shared.configuration
        switch deadline {
        case .none: break
        case .idle, .linger: close()
        case .head:
            // Nobody asked: browsers open connections ahead, and would show a 408 for it.
            guard sawBytes else { return close() }
            refuse(.timeout("the head of the request did not come within \(timeouts.headerTimeout)"))
        case .body: bodyIsDue()
        case .send: sendingIsDue()
        }
    }
}
