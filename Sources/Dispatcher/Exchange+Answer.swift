import Core
import NIOCore
import Queue

/// The pod's answer, passed on to the client, or kept back where the pod only said that it is busy.
extension Exchange: PodAnswerReceiver {
    func requestWritten(at time: NIODeadline) {
        writtenAt = time
    }

    func answerHead(_ head: ResponseHead, framing: BodyFraming) {
        guard case .calling(let call) = phase else { return }
        let now = NIODeadline.now()
        headAt = now
        answerHead = head
        answerFraming = framing
        if context.configuration.busyStatuses.contains(head.status) {
            phase = .refusing(call, head, ByteBuffer())
            let attempt = dispatches
            busyLimit = eventLoop.scheduleTask(in: context.configuration.busyAnswerTime) {
                if self.dispatches == attempt { self.leaveBusyAnswer() }
            }
            return
        }
        phase = .streaming(call)
        if isTrial, head.status < 500 { context.dispatcher.tell(.answerBegan, of: self) }
        request.sink.begin(
            head,
            framing: framing,
            timing: AnswerTiming(
                requestID: request.id,
                podID: pod?.id,
                hold: hold(until: now),
                upstream: now - (dispatchedAt ?? now)
            )
        )
    }

    func answerBody(_ bytes: ByteBuffer) {
        switch phase {
        case .streaming:
            answerBytes += bytes.readableBytes
            keep(bytes)
            request.sink.body(bytes)
        case .refusing(let call, let head, let kept):
            answerBytes += bytes.readableBytes
            guard var kept, kept.readableBytes + bytes.readableBytes <= ExchangeConfiguration.busyAnswerBytes else {
                return leaveBusyAnswer()
            }
            kept.writeImmutableBuffer(bytes)
            phase = .refusing(call, head, kept)
        case .inserting, .waiting, .calling, .delivering, .withdrawing, .ended:
            break
        }
    }

    /// The pod has said that it is busy, and what more it says is too much or too late.
    private func leaveBusyAnswer() {
        guard case .refusing(let call, _, _) = phase else { return }
        call.cancel()
        lastProblem = nil
        phase = .waiting
        finishAttempt(.busy)
    }

    func answerEnd(trailers: HeaderFields?) {
        switch phase {
        case .streaming:
            phase = .delivering
            finishAttempt(.answered(status: answerHead?.status ?? 0))
            request.sink.end(trailers: trailers)
        case .refusing(_, let head, let kept):
            lastProblem = nil
            if let kept { busyAnswer = KeptAnswer(head: head, body: kept) }
            phase = .waiting
            finishAttempt(.busy)
        case .inserting, .waiting, .calling, .delivering, .withdrawing, .ended:
            break
        }
    }

    func answerFailed(_ failure: PodCallFailure) {
        switch phase {
        case .calling where failure.kind == .bodyUnreadable:
            // The pod may have seen a part of it.
            begunAttempts += 1
            end(.failed, failure.reason, detail: failure.detail, status: failure.reason.status)
            request.sink.refuse(
                Refusal(
                    reason: failure.reason,
                    detail: "the request's body cannot be read back from the disk",
                    retryAfter: context.configuration.storageRetryAfter,
                    requestID: request.id,
                    hold: hold(until: .now())
                )
            )
            finishAttempt(.aborted)
        case .calling:
            lastProblem = "\(pod?.id ?? "the pod"): \(failure.detail)"
            if !failure.isBeforeItsFirstByte { begunAttempts += 1 }
            phase = .waiting
            finishAttempt(failure.attemptEnd(mayRepeat: mayRepeat))
        case .refusing:
            // A busy answer that was cut: the pod said no all the same.
            lastProblem = nil
            phase = .waiting
            finishAttempt(.busy)
        case .streaming:
            let reason = failure.reason
            end(.failed, reason, detail: failure.detail, status: answerHead?.status)
            request.sink.abort()
            let isOurs = failure.kind == .bodyUnreadable
            finishAttempt(isOurs ? .aborted : .broken(reason == .upstreamTimeout ? .timeout : .reset))
        case .inserting, .waiting, .delivering, .withdrawing, .ended:
            break
        }
    }

    /// Tells the dispatcher that the pod has done with this request, and what it said of its capacity.
    private func finishAttempt(_ how: AttemptEnd) {
        if spans != nil { trace(how) }
        busyLimit?.cancel()
        busyLimit = nil
        let now = NIODeadline.now()
        attemptEndedAt = now
        if how.mayGoBack {
            isBack = true
            awayFor = awayFor + (now - (dispatchedAt ?? now))
            if begunAttempts == 0 { _ = move(to: .queued) }
        }
        let hint = answerHead.flatMap { ResourceHeader.read(ResourceHeader.capacity, from: $0.fields) }
        context.dispatcher.tell(
            .attemptEnded(how, writtenAt: writtenAt, capacity: hint),
            of: self
        )
    }

    private func trace(_ how: AttemptEnd) {
        let now = NIODeadline.now()
        switch how {
        case .answered(let status): spans?.attemptEnded(status: status, at: now)
        case .busy: spans?.attemptEnded(status: answerHead?.status, problem: "busy", at: now)
        case .connectFailed: spans?.attemptEnded(status: nil, problem: "connect_failed", at: now)
        case .outOfResources: spans?.attemptEnded(status: nil, problem: "out_of_resources", at: now)
        case .died(let fault, _), .broken(let fault): spans?.attemptEnded(status: nil, problem: "\(fault)", at: now)
        case .aborted: spans?.attemptEnded(status: nil, problem: "aborted", at: now)
        }
        if case .waiting = phase { spans?.held(at: now) }
    }

    /// Keeps the first part of the answer for the row: more of one that failed.
    private func keep(_ bytes: ByteBuffer) {
        let limit = context.configuration.keptBytes(ofStatus: answerHead?.status ?? 0)
        let room = limit - keptBody.readableBytes
        guard room > 0, bytes.readableBytes > 0 else { return }
        let part = bytes.getSlice(at: bytes.readerIndex, length: min(room, bytes.readableBytes))!
        if keptBody.readableBytes == 0 {
            keptBody = part
        } else {
            keptBody.writeImmutableBuffer(part)
        }
    }
}

extension PodCallFailure {
    /// Whether the pod has not seen a byte of the request.
    var isBeforeItsFirstByte: Bool { kind == .connectFailed || kind == .outOfResources }

    /// The reason that a request ends with where this failure is its end.
    var reason: EndReason {
        switch kind {
        case .connectFailed, .outOfResources: .connectFailed
        case .firstByteTimeout, .idleTimeout: .upstreamTimeout
        case .reset, .invalidAnswer: .upstreamReset
        case .bodyUnreadable: .storageUnavailable
        }
    }

    /// What the state machine hears of an attempt that failed before a byte was passed on.
    func attemptEnd(mayRepeat: Bool) -> AttemptEnd {
        switch kind {
        case .connectFailed: .connectFailed
        case .outOfResources: .outOfResources
        case .firstByteTimeout, .idleTimeout: .died(.timeout, mayRepeat: mayRepeat)
        case .reset, .invalidAnswer: .died(.reset, mayRepeat: mayRepeat)
        case .bodyUnreadable: .aborted
        }
    }
}
