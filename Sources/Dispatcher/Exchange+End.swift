import Core
import NIOCore
import Queue

/// What the client does, and the request's one end.
extension Exchange: AnswerSource {
    func setWritable(_ writable: Bool) {
        if case .streaming(let call) = phase { call.setReading(writable) }
    }

    func delivered() {
        guard case .delivering = phase else { return }
        end(.completed, .ok, detail: nil, status: answerHead?.status)
    }

    func clientLeft() {
        switch phase {
        case .inserting, .waiting:
            phase = .withdrawing(.clientLeft)
            context.dispatcher.tell(.withdrawn, of: self)
        case .calling(let call), .refusing(let call, _, _), .streaming(let call):
            busyLimit?.cancel()
            busyLimit = nil
            let status: Int? = if case .streaming = phase { answerHead?.status } else { nil }
            call.cancel()
            end(.cancelled, .clientClosed, detail: nil, status: status)
            context.dispatcher.tell(
                .attemptEnded(.aborted, writtenAt: writtenAt, capacity: nil),
                of: self
            )
        case .delivering:
            end(
                .cancelled,
                .clientClosed,
                detail: "the client left before the whole answer was delivered",
                status: answerHead?.status
            )
        case .withdrawing, .ended:
            break
        }
    }

    func gatewayEnds() {
        switch phase {
        case .calling(let call), .refusing(let call, _, _), .streaming(let call):
            busyLimit?.cancel()
            busyLimit = nil
            let status: Int? = if case .streaming = phase { answerHead?.status } else { nil }
            call.cancel()
            end(.interrupted, .gatewayEnded, detail: "the gateway ended while a pod had it", status: status)
            context.dispatcher.tell(.attemptEnded(.aborted, writtenAt: writtenAt, capacity: nil), of: self)
        case .delivering:
            end(
                .interrupted,
                .gatewayEnded,
                detail: "the gateway ended before the whole answer was delivered",
                status: answerHead?.status
            )
        case .inserting, .waiting:
            phase = .withdrawing(.gatewayEnds)
            context.dispatcher.tell(.withdrawn, of: self)
        case .withdrawing, .ended:
            break
        }
    }

    /// The dispatcher has let go of a request that was withdrawn: nothing will be sent for it any more.
    func letGo() {
        guard case .withdrawing(let withdrawal) = phase else { return }
        switch withdrawal {
        case .clientLeft:
            end(.cancelled, .clientClosed, detail: nil, status: nil)
        case .gatewayEnds:
            let detail = "the gateway ended while it waited"
            end(state == .dispatched ? .interrupted : .abandoned, .gatewayEnded, detail: detail, status: nil)
        case .storageFailed where state == .dispatched:
            end(.failed, .storageUnavailable, detail: nil, status: EndReason.storageUnavailable.status)
        case .storageFailed where isInserted:
            end(.abandoned, .storageUnavailable, detail: nil, status: EndReason.storageUnavailable.status)
        case .storageFailed:
            phase = .ended
            leave()
            trace(.rejected, .storageUnavailable, status: EndReason.storageUnavailable.status)
        }
    }

    /// The dispatcher did not take the request in: it gets no row of the usual kind, unless it is a replay that has one already.
    func reject(_ refusal: Refusal) {
        if isInserted {
            end(.abandoned, refusal.reason, detail: refusal.detail, status: nil)
            return request.sink.refuse(refusal)
        }
        let wasWaiting = if case .inserting = phase { true } else { false }
        phase = .ended
        defer { leave() }
        trace(.rejected, refusal.reason, status: refusal.reason.status)
        guard wasWaiting else {
            // Its client has left, and so nobody else knows of its file any more.
            if case .spooled(let body) = request.body { context.journal.discard(body) }
            return
        }
        // Of a replay only who asked for it is told: it was no client's request.
        var refusal = refusal
        refusal.isAtTheDoor = true
        if request.priority == .live { refusal.requestID = writeRejection(refusal) }
        request.sink.refuse(refusal)
    }

    private func writeRejection(_ refusal: Refusal) -> RequestID {
        context.journal.rejected(
            Rejection(
                reason: refusal.reason,
                detail: refusal.detail,
                status: refusal.reason.status ?? 503,
                method: request.method,
                target: request.target,
                route: request.route,
                clientAddress: request.clientAddress
            )
        )
    }

    /// Writes the end, once.
    func end(_ next: RequestState, _ reason: EndReason, detail: String?, status: Int?) {
        phase = .ended
        defer { leave() }
        guard move(to: next) else { return }
        let now = NIODeadline.now()
        trace(next, reason, status: status, at: now)
        context.journal.end(
            Outcome(
                id: request.id,
                route: request.route,
                priority: request.priority,
                state: next,
                reason: reason,
                detail: detail,
                status: status,
                podID: pod?.id,
                attempts: dispatches,
                hold: hold(until: now),
                firstByte: headAt.map { $0 - (dispatchedAt ?? $0) },
                upstream: dispatchedAt.map { (attemptEndedAt ?? now) - $0 },
                total: now - request.arrivedAt,
                answerBytes: answerBytes,
                answerHead: answerHead,
                answerBody: keptBody.readableBytes > 0 ? keptBody : nil
            )
        )
    }

    /// Ends the request's spans, where it is traced.
    private func trace(_ state: RequestState, _ reason: EndReason, status: Int?, at now: NIODeadline = .now()) {
        spans?.ended(state, reason, status: status, at: now)
        spans = nil
    }

    /// How long it waited since its commit: until its last dispatch, or until now where it has none or went back to its line; less what
    /// attempts took from which it went back.
    func hold(until now: NIODeadline) -> TimeAmount {
        guard isInserted else { return .zero }
        return (isBack ? now : dispatchedAt ?? now) - committedAt - awayFor
    }
}

extension Refusal {
    /// The state in which a request ends that is refused for this. Where a pod may have begun it, it did not just wait in vain: it failed.
    func endState(from state: RequestState) -> RequestState {
        switch reason {
        case .noCapacity, .noPods, .exceedsEveryPod, .connectFailed: state == .dispatched ? .failed : .expired
        case .operatorCancelled, .clientClosed: .cancelled
        case .draining, .storageUnavailable, .gatewayEnded: state == .dispatched ? .failed : .abandoned
        case .upstreamTimeout, .upstreamReset: .failed
        case .ok, .queueFull, .bodyTooLarge: preconditionFailure("a queued request does not end with \(reason)")
        }
    }
}
