package import NIOCore

/// How pods are found: static list, DNS, file, Kubernetes.
package protocol PodDiscovery: Sendable {
    /// Runs until its task is cancelled; calls `report` with the whole set at once and at every change. Does not end by itself:
    /// trouble is told in ``DiscoveryUpdate/problem`` while the last known pods stay.
    func run(_ report: @Sendable (DiscoveryUpdate) async -> Void) async throws
}

/// The pods that there are now.
package struct DiscoveryUpdate: Sendable {
    package var pods: [PodDescription]
    /// What was found and is not used now.
    package var skipped: [SkippedPod]
    /// What is wrong with discovery, in words; nil when all is well.
    package var problem: String?

    package init(pods: [PodDescription], skipped: [SkippedPod] = [], problem: String? = nil) {
        self.pods = pods
        self.skipped = skipped
        self.problem = problem
    }
}

/// A pod that discovery found and that gets nothing, and why.
package struct SkippedPod: Hashable, Sendable {
    package var name: String
    package var namespace: String?
    package var node: String?
    /// In words: `not ready`, `its annotation neutrino.dev/port is "abc"; …`.
    package var reason: String
    /// Whether somebody has to mend it; otherwise it passes by itself.
    package var isMistake: Bool

    package init(name: String, namespace: String?, node: String? = nil, reason: String, isMistake: Bool) {
        self.name = name
        self.namespace = namespace
        self.node = node
        self.reason = reason
        self.isMistake = isMistake
    }

    /// `namespace/name`
    package var id: String { namespace.map { "\($0)/\(name)" } ?? name }
}

/// Who wants to know about pods: the dispatcher. Called from any thread; calls about one pod come in order.
package protocol PodObserver: Sendable {
    /// These are all pods now. One that is missing is gone: it finishes what it has.
    func podsChanged(_ pods: [Pod])
    /// A poll was sent and came back with a valid answer.
    func sampled(_ pod: Pod, _ report: CapacityReport, sentAt: NIODeadline, receivedAt: NIODeadline)
    /// A poll failed: no connection, a timeout, a status other than 200, an answer that cannot be read.
    func pollFailed(_ pod: Pod, _ problem: String, sentAt: NIODeadline, receivedAt: NIODeadline)
}

/// What the dispatcher asks of the one who polls. Called from any thread; never blocks.
package protocol PodPolling: Sendable {
    /// Polls this pod at once; at most one poll is under way for a pod, and polls begin at least 50 ms apart: one asked for meanwhile
    /// follows as soon as both allow.
    func pollNow(_ pod: Pod)
    /// Polls this pod at least that often until told otherwise; nil for the configured interval.
    func setInterval(_ interval: TimeAmount?, for pod: Pod)
}

/// How a pod is reached. Implemented by Pods; called and answered on the event loop that is handed in, without a Task.
package protocol PodTransport: Sendable {
    /// Begins one attempt. `receiver` gets exactly one of ``PodAnswerReceiver/answerEnd(trailers:)`` and
    /// ``PodAnswerReceiver/answerFailed(_:)`` at the end, unless the call is cancelled; never before this function has returned.
    func send(
        _ request: OutboundRequest,
        to pod: Pod,
        on eventLoop: any EventLoop,
        receiver: any PodAnswerReceiver
    ) -> any PodCall
}

/// An attempt under way. Used on its event loop only.
package protocol PodCall: AnyObject {
    /// Ends it: its connection is closed, so that the pod can see that nobody waits. The receiver hears nothing more.
    func cancel()
    /// Whether the receiver can take more of the answer; while not, nothing is read from the pod (but for what is in flight).
    func setReading(_ reading: Bool)
}

/// Who takes a pod's answer. Called on the call's event loop.
package protocol PodAnswerReceiver: AnyObject {
    /// The last byte of the request was handed to the kernel. Not called where the answer's end came before.
    func requestWritten(at time: NIODeadline)
    /// The final head (1xx is swallowed); hop-by-hop fields are already removed (RFC 9110 §7.6.1).
    func answerHead(_ head: ResponseHead, framing: BodyFraming)
    func answerBody(_ bytes: ByteBuffer)
    func answerEnd(trailers: HeaderFields?)
    func answerFailed(_ failure: PodCallFailure)
}

/// A request as it goes to a pod.
package struct OutboundRequest: Sendable {
    package var method: RequestMethod
    /// Path and query, as they came.
    package var target: ByteBuffer
    /// End-to-end fields, `Host` among them where the client sent one; neither `Content-Length` nor `Connection`: the transport
    /// frames the message itself.
    package var fields: HeaderFields
    /// Further field lines, each ended by CRLF, written after ``fields``.
    package var extraFields: ByteBuffer
    package var body: RequestBody
    /// Whether it may go on a connection that has been idle for longer than a second (RFC 9110 §9.2.2: what the pod closes just
    /// as it is reused cannot be repeated otherwise).
    package var mayReuseIdle: Bool
    /// From the last request byte to the first byte of the answer.
    package var firstByteTimeout: TimeAmount

    package init(
        method: RequestMethod,
        target: ByteBuffer,
        fields: HeaderFields,
        extraFields: ByteBuffer,
        body: RequestBody,
        mayReuseIdle: Bool,
        firstByteTimeout: TimeAmount
    ) {
        self.method = method
        self.target = target
        self.fields = fields
        self.extraFields = extraFields
        self.body = body
        self.mayReuseIdle = mayReuseIdle
        self.firstByteTimeout = firstByteTimeout
    }
}

/// How an attempt ended without a whole answer.
package struct PodCallFailure: Error, Sendable, CustomStringConvertible {
    package enum Kind: Sendable {
        /// No connection came about: the pod has not seen a byte of the request.
        case connectFailed
        /// Nor could one be begun, for want of something of our own: file descriptors, memory, ports. Nothing is said about the pod.
        case outOfResources
        /// No answer began in time.
        case firstByteTimeout
        /// The answer began and then stalled.
        case idleTimeout
        /// The connection was closed or reset, before or during the answer.
        case reset
        /// What came was no HTTP/1.1 answer, or one that is not allowed (an unasked 101, a head over its bound).
        case invalidAnswer
        /// Nothing of the pod's: our own copy of the request's body could not be read.
        case bodyUnreadable
    }

    package var kind: Kind
    /// In words, for logs and rows.
    package var detail: String

    package init(_ kind: Kind, _ detail: String) {
        self.kind = kind
        self.detail = detail
    }

    package var description: String { "\(kind): \(detail)" }
}
