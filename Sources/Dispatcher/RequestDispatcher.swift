package import Core
package import Logging
package import NIOCore
package import Queue
package import Tracing

/// Places requests on pods: the thin actor around ``DispatchMachine``, with its exchanges, its journal and its one timer.
///
/// Its executor is an event loop, so that handlers on that loop enter it without a hop, and those of other loops with one `execute` for
/// all that they send until it runs. Whatever comes in is handled in order; what is raised while actions are carried out waits in
/// the inbox for the outermost call.
package actor RequestDispatcher {
    package nonisolated let eventLoop: any EventLoop
    private nonisolated let executor: any SerialExecutor
    nonisolated let inbox = DispatchInbox()
    nonisolated let unended = UnendedRequests()
    private nonisolated let exchangeConfiguration: ExchangeConfiguration
    private nonisolated let journal: any RequestJournal
    private nonisolated let transport: any PodTransport
    /// nil where nothing is traced.
    nonisolated let tracer: (any Tracer)?
    private let polling: any PodPolling
    private let logger: Logger

    var machine: DispatchMachine
    /// By the slot of their ticket.
    var exchanges: [Exchange?] = []
    private var mails: [DispatchMail] = []
    private var isHandling = false
    private var timer: (due: NIODeadline, scheduled: Scheduled<Void>)?
    private var waiters: [Waiter] = []

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Parameters:
    ///   - eventLoop: Whose thread decides; one of those that serve clients.
    ///   - routes: The routes as configured; later ones, and what operators set, come by ``routesChanged(_:controls:)``.
    ///   - tracer: Makes spans of requests; nil for none.
    package init(
        eventLoop: any EventLoop,
        configuration: DispatchConfiguration,
        exchangeConfiguration: ExchangeConfiguration,
        routes: [Route],
        journal: any RequestJournal,
        transport: any PodTransport,
        polling: any PodPolling,
        logger: Logger,
        tracer: (any Tracer)? = nil
    ) {
        self.eventLoop = eventLoop
        executor = eventLoop.executor
        self.exchangeConfiguration = exchangeConfiguration
        self.journal = journal
        self.transport = transport
        self.polling = polling
        self.logger = logger
        self.tracer = tracer
        machine = DispatchMachine(configuration: configuration, routes: routes)
    }
}

// MARK: - Requests

extension RequestDispatcher: RequestIntake {
    package nonisolated func submit(_ request: QueuedRequest) -> any AnswerSource {
        let exchange = Exchange(
            request: request,
            context: ExchangeContext(
                journal: journal,
                transport: transport,
                configuration: exchangeConfiguration,
                dispatcher: self
            )
        )
        tell(.arrived, of: exchange)
        return exchange
    }

    /// Hands an event in, from any loop; handled at once where this is the dispatcher's own.
    nonisolated func tell(_ event: ExchangeEvent, of exchange: Exchange) {
        let mustWake = inbox.put(DispatchMail(exchange: exchange, event: event, time: .now()))
        if eventLoop.inEventLoop {
            assumeIsolated { $0.handleMail() }
        } else if mustWake {
            eventLoop.execute { self.assumeIsolated { $0.handleMail() } }
        }
    }

    /// Handles what is in the inbox, unless a call further out is at it already.
    func handleMail() {
        guard !isHandling else { return }
        isHandling = true
        while inbox.take(into: &mails) {
            for mail in mails { handle(mail) }
            mails.removeAll(keepingCapacity: true)
        }
        isHandling = false
        settle()
    }

    private func handle(_ mail: DispatchMail) {
        let exchange = mail.exchange
        switch mail.event {
        case .arrived:
            arrive(exchange, now: mail.time)
        case .attemptEnded(let end, let writtenAt, let capacity):
            guard let ticket = exchange.ticket else { return }
            if !end.mayGoBack { forget(exchange) }
            machine.attemptEnded(ticket, end, writtenAt: writtenAt, now: mail.time)
            if let capacity, let pod = exchange.dispatchedTo { machine.capacityHint(pod, capacity, now: mail.time) }
        case .answerBegan:
            if let ticket = exchange.ticket { machine.answerBegan(ticket, now: mail.time) }
        case .withdrawn:
            if let ticket = exchange.ticket {
                forget(exchange)
                machine.cancel(ticket, now: mail.time)
            }
            exchange.eventLoop.execute { exchange.letGo() }
        }
        carryOut()
    }

    private func arrive(_ exchange: Exchange, now: NIODeadline) {
        let request = exchange.request
        let arrival = machine.arrive(
            route: request.route,
            needs: request.needs,
            priority: request.priority,
            holdLimit: request.holdLimit,
            isPatient: request.replayJob != nil,
            now: now
        )
        switch arrival {
        case .placed(let ticket, let pod):
            remember(exchange, ticket)
            if request.isStamped {
                dispatch(exchange, to: pod)
            } else {
                exchange.attempts = 1
                exchange.dispatchedTo = pod
                exchange.isTrial = machine.isTrial(ticket)
                journal.insert(request, pod: pod, receiver: exchange)
            }
        case .waiting(let ticket):
            remember(exchange, ticket)
            if !request.isStamped { journal.insert(request, pod: nil, receiver: exchange) }
        case .refused(let refusal):
            exchange.eventLoop.execute { exchange.reject(refusal) }
        }
    }

    private func remember(_ exchange: Exchange, _ ticket: Ticket) {
        let slot = Int(ticket.slot)
        while exchanges.count <= slot { exchanges.append(nil) }
        exchanges[slot] = exchange
        exchange.ticket = ticket
    }

    func forget(_ exchange: Exchange) {
        guard let ticket = exchange.ticket else { return }
        exchanges[Int(ticket.slot)] = nil
        exchange.ticket = nil
    }

    /// Commits a later dispatch; the exchange sends it when that is done.
    private func dispatch(_ exchange: Exchange, to pod: Pod) {
        exchange.attempts += 1
        exchange.dispatchedTo = pod
        exchange.isTrial = exchange.ticket.map { machine.isTrial($0) } ?? false
        exchange.writtenAt = nil
        journal.attempt(exchange.request, number: exchange.attempts, pod: pod, receiver: exchange)
    }

    /// Carries out what the machine decided.
    private func carryOut() {
        while let action = machine.nextAction() {
            switch action {
            case .dispatch(let ticket, let pod):
                guard let exchange = exchanges[Int(ticket.slot)] else { continue }
                dispatch(exchange, to: pod)
            case .refuse(let ticket, let refusal, let afterBusy):
                guard let exchange = exchanges[Int(ticket.slot)] else { continue }
                forget(exchange)
                exchange.eventLoop.execute { exchange.refuse(refusal, afterBusy: afterBusy) }
            case .poll(let pod):
                polling.pollNow(pod)
            case .setInterval(let pod, let interval):
                polling.setInterval(interval, for: pod)
            case .breakerOpened(let pod, let until):
                let seconds = (until - .now()).nanoseconds / 1_000_000_000
                logger.warning(
                    "a pod failed one request after another and is left alone",
                    metadata: ["pod": "\(pod.id)", "seconds": "\(seconds)"]
                )
            case .breakerClosed(let pod):
                logger.notice("a pod answers well again", metadata: ["pod": "\(pod.id)"])
            }
        }
    }

    /// After every event: carries out what is left, sets the timer, and tells who waits for the end.
    func settle() {
        carryOut()
        if let due = machine.nextWake, timer.map({ due < $0.due }) ?? true {
            timer?.scheduled.cancel()
            timer = (due, eventLoop.scheduleTask(deadline: due) { self.assumeIsolated { $0.wake() } })
        }
        if !waiters.isEmpty { tellWaiters() }
    }

    private func wake() {
        timer = nil
        machine.wake(now: .now())
        settle()
    }
}

// MARK: - Pods

extension RequestDispatcher: PodObserver {
    package nonisolated func podsChanged(_ pods: [Pod]) {
        enter { $0.machine.podsChanged(pods, now: .now()) }
    }

    package nonisolated func sampled(
        _ pod: Pod,
        _ report: CapacityReport,
        sentAt: NIODeadline,
        receivedAt: NIODeadline
    ) {
        enter { dispatcher in
            // Which leases the pod had seen when it was asked is told only now: nobody needs it sooner.
            for ticket in dispatcher.machine.openLeases(of: pod) {
                guard let exchange = dispatcher.exchanges[Int(ticket.slot)] else { continue }
                if let written = exchange.writtenAt { dispatcher.machine.written(ticket, at: written) }
            }
            dispatcher.machine.sampled(pod, report, sentAt: sentAt, receivedAt: receivedAt, now: .now())
        }
    }

    package nonisolated func pollFailed(_ pod: Pod, _ problem: String, sentAt: NIODeadline, receivedAt: NIODeadline) {
        enter { $0.machine.pollFailed(pod, problem, sentAt: sentAt, now: .now()) }
    }

    /// Does something on the dispatcher's loop, behind all mail that is in already.
    private nonisolated func enter(_ body: @escaping @Sendable (isolated RequestDispatcher) -> Void) {
        eventLoop.execute {
            self.assumeIsolated { dispatcher in
                dispatcher.handleMail()
                body(dispatcher)
                dispatcher.settle()
            }
        }
    }
}

// MARK: - The end

extension RequestDispatcher {
    /// From now on what comes is refused with `draining`; what waits and what pods have goes on.
    package func beginDrain() {
        machine.beginDrain(now: .now())
        settle()
    }

    /// From now on nothing is sent to pods; what they have goes on.
    package func stopDispatching() { machine.stop() }

    /// Has those who wait for a state look at it now (``settled(where:)``), where something beside the dispatcher is part of it.
    package func look() { settle() }

    /// Returns when no request waits and none is with a pod.
    package func idle() async {
        await settled { $0.load == (0, 0) }
    }

    /// Returns when the journal has heard of the end of every request that was submitted, or the time has passed. Nothing is submitted any
    /// more, and no client is left: before the journal is closed.
    /// - Returns: How many ends are missing.
    @discardableResult
    package nonisolated func ended(within time: Duration, clock: some Clock<Duration> = .continuous) async -> Int {
        await unended.none(within: time, clock: clock)
    }

    /// Refuses all that wait with `draining`: the drain's time is up.
    package func refuseAllWaiting() {
        handleMail()
        machine.refuseAllWaiting(now: .now())
        settle()
    }
}

// MARK: - Waiting for a state

extension RequestDispatcher {
    private struct Waiter {
        var condition: @Sendable (isolated RequestDispatcher) -> Bool
        var continuation: CheckedContinuation<Void, Never>
    }

    /// Returns once a condition holds: looked at now and after every event. It must be quick, since requests wait for it.
    package func settled(where condition: @escaping @Sendable (isolated RequestDispatcher) -> Bool) async {
        handleMail()
        guard !condition(self) else { return }
        await withCheckedContinuation { waiters.append(Waiter(condition: condition, continuation: $0)) }
    }

    private func tellWaiters() {
        waiters.removeAll { waiter in
            guard waiter.condition(self) else { return false }
            waiter.continuation.resume()
            return true
        }
    }
}
