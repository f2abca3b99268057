import Core
import HTTP
import Logging
import NIOCore
import Queue
import Synchronization

/// What all connections of one server share. The rest of a connection's state belongs to its event loop.
final class IngressShared: Sendable {
    /// How far a shutdown has come; only ever goes forward.
    enum Phase: Int {
        case serving
        /// `/ready` answers 503 and answers end their connections, but requests are taken.
        case draining
        /// New requests are refused.
        case refusing
    }

    let configuration: IngressConfiguration
    let timeouts: Timeouts
    let pace: BodyPace.Rule
    let routes: RouteBook
    let intake: any RequestIntake
    let journal: any RequestJournal
    let spool: BodySpool
    let budget: ByteBudget
    let health: HealthState
    let logger: Logger
    let trustedProxies: [AddressBlock]
    /// nil where clients have no bound of their own.
    let clients: ClientLimit?
    private let phaseNumber = Atomic<Int>(Phase.serving.rawValue)
    private let connectionCount = Atomic<Int>(0)

    init(
        configuration: IngressConfiguration,
        routes: RouteBook,
        intake: any RequestIntake,
        journal: any RequestJournal,
        spool: BodySpool,
        budget: ByteBudget,
        health: HealthState,
        logger: Logger
    ) {
        self.configuration = configuration
        timeouts = Timeouts(configuration)
        pace = BodyPace.Rule(rate: configuration.bodyMinRate, window: TimeAmount(configuration.bodyRateWindow))
        trustedProxies = configuration.trustedProxies.compactMap { AddressBlock($0) }
        clients = configuration.maxConnectionsPerClient.map { ClientLimit(limit: $0) }
        self.routes = routes
        self.intake = intake
        self.journal = journal
        self.spool = spool
        self.budget = budget
        self.health = health
        self.logger = logger
    }

    var phase: Phase { Phase(rawValue: phaseNumber.load(ordering: .relaxed))! }

    func advance(to phase: Phase) {
        phaseNumber.max(phase.rawValue, ordering: .relaxed)
    }

    /// Connections that are open.
    var connections: Int { connectionCount.load(ordering: .relaxed) }

    /// Counts a new connection and returns how many there are with it.
    func connectionOpened() -> Int { connectionCount.add(1, ordering: .relaxed).newValue }

    func connectionClosed() { connectionCount.subtract(1, ordering: .relaxed) }

    /// The configuration's timeouts as the event loops count.
    struct Timeouts: Sendable {
        let header: TimeAmount
        let body: TimeAmount
        let keepAlive: TimeAmount
        let send: TimeAmount
        let linger: TimeAmount

        init(_ configuration: IngressConfiguration) {
            header = TimeAmount(configuration.headerTimeout)
            body = TimeAmount(configuration.bodyTimeout)
            keepAlive = TimeAmount(configuration.clientKeepAlive)
            send = TimeAmount(configuration.sendTimeout)
            linger = TimeAmount(configuration.lingerTimeout)
        }
    }
}
