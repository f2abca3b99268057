import Core
import HTTP
import NIOCore
import Queue

/// The request's way in: the door, the body, the hand-over.
extension ClientExchange {
    /// A request that is answered before its end keeps its connection where at most so many bytes of it are still to come.
    private static let skippedBytes = 64 << 10

    /// Looks at the head: answers at once what is the gateway's own or cannot be taken, else takes the body.
    func admit() {
        guard let head, let connection else { return }
        let table = connection.loop.routes
        if let path = ReservedPath(head.target), answer(path, head, table) { return }
        if HeaderRules.maxForwards(head) == 0 { return answerLast(head) }
        let route = table.route(for: head.target, head.method)
        self.route = route
        if shared.phase == .refusing {
            return reject(.draining, "the gateway is shutting down and takes no more requests")
        }
        if head.asksForWebSocket {
            return refuse(ProblemAnswer(501, "not_implemented", "this gateway does not forward WebSocket connections"))
        }
        guard enterClient(connection) else {
            if let clients = shared.clients { refuse(clients.refusal) }
            return
        }
        if let problem = shared.journal.unavailable {
            return reject(.storageUnavailable, "requests cannot be recorded now: \(problem)")
        }
        let limit = shared.configuration.maxBodyBytes
        var expected: Int?
        switch framing {
        case .none, .length(0): return
        case .length(let count):
            guard count <= limit else { return reject(.bodyTooLarge, tooLarge) }
            expected = count
        case .chunked, .untilClose: break
        }
        share = connection.loop.share(of: route)
        body = BodyCollector(expected: expected, limit: limit, threshold: shared.configuration.spoolThreshold)
        if head.expectsContinue {
            connection.write(ByteBuffer(staticString: MessageWriter.continueBytes))
            connection.flush()
        }
    }

    /// Answers a request that may not be forwarded any further (RFC 9110 §7.6.2).
    private func answerLast(_ head: RequestHead) {
        guard head.method == .options else {
            return refuse(ProblemAnswer(501, "not_implemented", "this gateway does not answer TRACE itself"))
        }
        var answer = OwnAnswer(200, json: "{}\n")
        answer.allow = RequestMethod.allCases.map(\.rawValue).joined(separator: ", ")
        respond(answer)
    }

    private var tooLarge: String {
        "the body is larger than the \(shared.configuration.maxBodyBytes) bytes that are accepted"
    }

    /// Answers a path that is not forwarded. False where it is an ordinary one after all.
    private func answer(_ path: ReservedPath, _ head: RequestHead, _ table: RouteTable) -> Bool {
        switch path {
        case .health, .ready:
            guard head.method == .get || head.method == .head else {
                refuse(
                    ProblemAnswer(405, "method_not_allowed", "this path takes GET and HEAD only", allow: "GET, HEAD")
                )
                return true
            }
            let report = path == .ready ? shared.health.report : nil
            respond(
                OwnAnswer(report?.isReady ?? true ? 200 : 503, json: report?.json ?? "{\"status\":\"ok\"}\n")
            )
        case .capacity, .internals:
            refuse(.notFound("this path is the pods' own and not reached through the gateway"))
        case .admin:
            guard table.match(head.target, head.method) == nil else { return false }
            refuse(
                .notFound(
                    "no route claims this path; the gateway's admin listener is on a port of its own (ADMIN_PORT)"
                )
            )
        }
        return true
    }

    // MARK: The body

    func receive(_ bytes: ByteBuffer) {
        pace.take(bytes.readableBytes)
        guard intake == .collecting, answer == .awaited, let share else { return }
        guard shared.budget.reserve(bytes.readableBytes, for: share) else {
            let limit = shared.budget.limit
            return reject(
                .queueFull,
                "the bodies of all waiting requests fill the \(limit) bytes that are set aside for them"
            )
        }
        reserved += bytes.readableBytes
        switch body?.take(bytes) {
        case nil, .readOn: break
        case .store(let part): store(part)
        case .tooLarge: reject(.bodyTooLarge, tooLarge)
        }
    }

    /// Writes a part to the body's file; nothing more is taken until it is there.
    private func store(_ part: ByteBuffer) {
        guard let connection else { return }
        connection.pauseRequests()
        connection.stopWaiting()
        spool(for: connection).write(part).assumeIsolated().whenComplete { [self] result in
            guard intake == .collecting, answer == .awaited, let connection = self.connection else { return }
            switch result {
            case .success: connection.resumeBody()
            case .failure(let error): storingFailed(error)
            }
        }
    }

    private func spool(for connection: ClientConnection) -> SpoolWriter {
        if let writer { return writer }
        let writer = shared.spool.open(on: connection.eventLoop)
        self.writer = writer
        return writer
    }

    private func storingFailed(_ error: any Error) {
        reject(.storageUnavailable, "the body of the request cannot be stored: \(error)")
    }

    /// The request's last byte has come.
    func requestEnded() {
        guard let connection else { return }
        isWhole = true
        if answer == .done { return connection.skipped(self) }
        connection.pauseRequests()
        guard intake == .collecting, answer == .awaited else { return }
        connection.stopWaiting()
        guard var collector = body else { return handOver(.none) }
        let rest = collector.rest()
        body = nil
        if collector.isStored {
            finishFile(rest, connection)
        } else {
            handOver(collector.received > 0 ? .memory(rest) : .none)
        }
    }

    private func finishFile(_ rest: ByteBuffer, _ connection: ClientConnection) {
        intake = .storing
        let writer = spool(for: connection)
        if rest.readableBytes > 0 { _ = writer.write(rest) }
        self.writer = nil
        let spool = shared.spool
        writer.finish().assumeIsolated().whenComplete { [self] result in
            switch result {
            case .success(let file) where intake == .storing && self.connection != nil: handOver(.spooled(file))
            case .success(let file): spool.remove(file)
            case .failure(let error): if self.connection != nil { storingFailed(error) }
            }
        }
    }

    // MARK: Hand-over

    private func handOver(_ body: RequestBody) {
        guard let head, let route, let connection else { return }
        intake = .handedOver
        let signs = RequestSigns(head.fields)
        let fields = HeaderRules.forwarded(
            head,
            from: connection.peer,
            beginsTrace: shared.configuration.beginsTraces,
            generator: &connection.loop.traceIDs
        )
        let client = clientAddress(at: connection)
        clientAddress = client
        forgetFields()
        let request = QueuedRequest(
            eventLoop: connection.eventLoop,
            route: route,
            method: head.method,
            target: self.head?.target ?? head.target,
            fields: fields,
            body: body,
            needs: head.method == .options ? .zero : route.needs,
            clientAddress: client,
            arrivedAt: connection.eventLoop.now,
            holdLimit: signs.wait.map { .seconds(Int64($0)) },
            hasIdempotencyKey: signs.hasIdempotencyKey,
            sink: self
        )
        if case .spooled(let file) = body { spooled = file }
        source = shared.intake.submit(request)
    }

    // MARK: Refusing

    /// The time of a drain is over: a request that has not come whole is not waited for any longer.
    func drainEnded() {
        guard answer == .awaited, intake != .handedOver else { return }
        // Its file, once that is whole, is nobody's.
        if intake == .storing { intake = .skipping }
        reject(.draining, "the gateway is shutting down, and the request had not come whole")
    }

    /// Refuses the request at the door, which gets a row without its body.
    private func reject(_ reason: EndReason, _ detail: String) {
        guard answer == .awaited else { return }
        var problem = ProblemAnswer(reason, detail)
        if let head, let connection {
            problem.requestID = shared.journal.rejected(
                Rejection(
                    reason: reason,
                    detail: detail,
                    status: problem.status,
                    method: head.method,
                    target: head.target,
                    route: route,
                    clientAddress: clientAddress(at: connection)
                )
            )
        }
        refuse(problem)
    }

    /// Answers with a problem; the connection goes on where the rest of the request is short.
    private func refuse(_ problem: ProblemAnswer) {
        guard answer == .awaited, connection != nil else { return }
        var problem = problem
        if problem.requestID == nil { problem.requestID = shared.journal.newID() }
        requestID = problem.requestID
        respond(OwnAnswer(problem, hold: .zero))
    }

    /// Answers what came so far with a problem, where it is not answered yet. The connection ends: nobody knows where the request does.
    func cut(_ problem: ProblemAnswer) {
        switch answer {
        case .awaited where intake != .handedOver:
            closes = true
            refuse(problem)
        case .awaited, .streaming, .ending: closes = true
        case .done: connection?.close()
        }
    }

    /// Whether what is still to come of the request is so little that it is read and dropped.
    var mayBeSkipped: Bool {
        if isWhole { return true }
        switch framing {
        case .none: return true
        case .length(let count): return count <= Self.skippedBytes && head?.expectsContinue == false
        case .chunked, .untilClose: return false
        }
    }
}
