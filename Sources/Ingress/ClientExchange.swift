import Core
import HTTP
import NIOCore
import Queue

/// One request of a client and its answer. Takes the request in (`+Request`), hands it over, and is where its answer goes (`+Answer`).
/// Used on the connection's event loop only.
final class ClientExchange {
    /// What becomes of the body's bytes.
    enum Intake {
        /// They are taken in.
        case collecting
        /// The body's end is being put away.
        case storing
        /// The request is the dispatcher's.
        case handedOver
        /// They are read and dropped: the request was answered already.
        case skipping
    }

    enum Answer {
        case awaited
        case streaming
        /// Its last byte was written, but not yet taken by the kernel.
        case ending
        case done
    }

    /// nil once the connection is gone, or the answer is done.
    var connection: ClientConnection?
    /// nil where what came is no request.
    private(set) var head: RequestHead?
    let framing: BodyFraming
    let receivedAt: NIODeadline
    var intake = Intake.collecting
    var answer = Answer.awaited
    /// Whether the request's last byte has come.
    var isWhole = false
    /// Whether the connection ends with the answer. Known when the answer begins.
    var closes = false
    /// Whether the client would keep its connection, and may.
    let keepsConnection: Bool
    /// Whom to tell of the client; the dispatcher's side of this request.
    var source: (any AnswerSource)?
    var route: Route?

    // The request's body.
    var body: BodyCollector?
    var writer: SpoolWriter?
    /// The body's file, once it is whole.
    var spooled: SpooledBody?
    /// Bytes taken from the budget, and whose share of it they are.
    var reserved = 0
    var share: ByteBudget.Share?
    /// How fast the body comes.
    var pace: BodyPace
    /// Whose request it counts as, behind a trusted proxy.
    var countedClient: String?

    // The answer.
    var output = ByteBuffer()
    var answerFraming = AnswerFraming.none
    /// What is left of Content-Length.
    var remaining = 0

    // For the access log.
    var status: Int?
    var reason: String?
    var requestID: RequestID?
    var podID: String?
    var hold: TimeAmount?
    /// From the dispatch to the pod's head.
    var upstream: TimeAmount?
    /// Known once the request is handed over; before, ``clientAddress(at:)`` finds it.
    var clientAddress: String?
    var bodyBytes = 0

    init(connection: ClientConnection, head: RequestHead? = nil, framing: BodyFraming = .none) {
        self.connection = connection
        self.head = head
        self.framing = framing
        receivedAt = connection.eventLoop.now
        pace = BodyPace(connection.loop.shared.pace, since: receivedAt)
        let mayKeep = connection.loop.shared.timeouts.keepAlive > .zero
        keepsConnection = mayKeep && head?.keepsConnection == true
    }

    var shared: IngressShared { connection!.loop.shared }

    /// Whether more of the body is to come from the client.
    var awaitsBody: Bool {
        switch intake {
        case .collecting, .skipping: !isWhole
        case .storing, .handedOver: false
        }
    }

    /// Whether the answer was written but not taken yet.
    var isEnding: Bool { answer == .ending }

    /// The connection is gone: the client left, or was closed for another reason.
    func connectionEnded() {
        guard let connection else { return }
        self.connection = nil
        letGo(connection.loop)
        if answer != .done { log(connection, isWhole: false) }
        answer = .done
        let source = source
        self.source = nil
        source?.clientLeft()
    }

    /// The gateway ends, and the connection with it. The request's row is to say that, and not that the client left.
    /// - Returns: Whether the client has not got its whole answer.
    func gatewayEnds() -> Bool {
        guard connection != nil, answer != .done else { return false }
        let source = source
        self.source = nil
        source?.gatewayEnds()
        return true
    }

    /// Lets go of the request's fields, and of the memory it was read into where that is much more than it needs: it may wait for long.
    func forgetFields() {
        head?.fields = HeaderFields()
        guard let target = head?.target, target.storageCapacity > 4096 + 2 * target.readableBytes else { return }
        head?.target = ByteBuffer(bytes: target.readableBytesView)
    }

    /// Gives back what the request held.
    func letGo(_ loop: IngressLoop) {
        writer?.discard()
        writer = nil
        body = nil
        if let share, reserved > 0 { loop.shared.budget.release(reserved, of: share) }
        reserved = 0
    }

    /// Who the client is: the other end of the connection, or whom a trusted proxy there says to stand for.
    func clientAddress(at connection: ClientConnection) -> String {
        if let clientAddress { return clientAddress }
        guard connection.peer.isTrusted, let head else { return connection.peer.address }
        let trusted = connection.loop.shared.trustedProxies
        return trusted.client(forwardedFor: head.fields.values("x-forwarded-for")) ?? connection.peer.address
    }

    /// Counts it as its client's, where that is bounded and comes through a trusted proxy.
    /// - Returns: False where the client has as many under way as it may.
    func enterClient(_ connection: ClientConnection) -> Bool {
        guard let clients = shared.clients, connection.peer.isTrusted else { return true }
        let name = AddressBlock.host(of: clientAddress(at: connection))
        // The proxy itself: what it asks for is nobody else's.
        guard !name.isEmpty, name != AddressBlock.host(of: connection.peer.address) else { return true }
        guard clients.enter(name) else { return false }
        countedClient = name
        return true
    }

    /// It is done with.
    func leaveClient(_ loop: IngressLoop) {
        guard let countedClient else { return }
        loop.shared.clients?.leave(countedClient)
        self.countedClient = nil
    }

    func log(_ connection: ClientConnection, isWhole: Bool) {
        let now = connection.eventLoop.now
        connection.loop.accessLog.log {
            AccessLog.Entry(
                head: head,
                routeID: route?.id,
                status: status,
                reason: reason,
                requestID: requestID,
                podID: podID,
                bodyBytes: bodyBytes,
                hold: hold,
                upstream: upstream,
                duration: now - receivedAt,
                clientAddress: clientAddress(at: connection),
                isWhole: isWhole
            )
        }
    }
}
