import HTTP
import NIOConcurrencyHelpers
package import Tracing

/// One span until its end, when it goes to the buffer. Of a trace that is not recorded it only hands its context on.
package final class OTLPSpan: Span {
    private struct State {
        var record: SpanRecord
        var hasEnded = false
    }

    package let context: InstrumentationContext
    private let state: NIOLockedValueBox<State>
    /// nil where nothing is recorded.
    private let buffer: SpanBuffer?

    init(
        context: InstrumentationContext,
        own: TraceParent,
        parent: SpanContext?,
        name: String,
        kind: SpanKind,
        start: UInt64,
        buffer: SpanBuffer?
    ) {
        self.context = context
        self.buffer = buffer
        state = NIOLockedValueBox(
            State(
                record: SpanRecord(
                    own: own,
                    parentSpan: parent?.parent.span,
                    name: name,
                    kind: kind,
                    start: start,
                    end: start
                )
            )
        )
    }

    package var isRecording: Bool { buffer != nil && !state.withLockedValue { $0.hasEnded } }

    package var operationName: String {
        get { state.withLockedValue { $0.record.name } }
        set { change { $0.name = newValue } }
    }

    package var attributes: SpanAttributes {
        get { state.withLockedValue { $0.record.attributes } }
        set { change { $0.attributes = newValue } }
    }

    package func setStatus(_ status: SpanStatus) { change { $0.status = status } }

    package func addEvent(_ event: SpanEvent) { change { $0.add(event) } }

    package func addLink(_ link: SpanLink) {
        guard let linked = link.context.spanContext else { return }
        change { $0.add(linked, link.attributes) }
    }

    package func recordError<Instant: TracerInstant>(
        _ error: any Error,
        attributes: SpanAttributes,
        at instant: @autoclosure () -> Instant
    ) {
        guard buffer != nil else { return }
        // Its text could hold what a client sent: its type says enough.
        var attributes = attributes
        attributes["exception.type"] = String(describing: type(of: error))
        addEvent(SpanEvent(name: "exception", at: instant(), attributes: attributes))
    }

    package func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        guard let buffer else { return }
        let end = instant().nanosecondsSinceEpoch
        let record: SpanRecord? = state.withLockedValue { state in
            guard !state.hasEnded else { return nil }
            state.hasEnded = true
            // A clock that was set back between the two does not make a span that ends before it began.
            state.record.end = max(end, state.record.start)
            return state.record
        }
        if let record { buffer.add(record) }
    }

    private func change(_ body: (inout SpanRecord) -> Void) {
        guard buffer != nil else { return }
        state.withLockedValue { state in
            if !state.hasEnded { body(&state.record) }
        }
    }
}

/// A span as it is sent.
package struct SpanRecord: Sendable {
    /// Events and links of a span; more are left out.
    static let maximumParts = 32

    var own: TraceParent
    /// nil for the first of its trace.
    var parentSpan: UInt64?
    var name: String
    var kind: SpanKind
    /// In nanoseconds since 1970.
    var start: UInt64
    var end: UInt64
    var attributes = SpanAttributes()
    var status: SpanStatus?
    private(set) var events: [SpanEvent] = []
    private(set) var links: [(context: SpanContext, attributes: SpanAttributes)] = []

    init(
        own: TraceParent,
        parentSpan: UInt64?,
        name: String,
        kind: SpanKind,
        start: UInt64,
        end: UInt64
    ) {
        self.own = own
        self.parentSpan = parentSpan
        self.name = name
        self.kind = kind
        self.start = start
        self.end = end
    }

    mutating func add(_ event: SpanEvent) {
        if events.count < Self.maximumParts { events.append(event) }
    }

    mutating func add(_ link: SpanContext, _ attributes: SpanAttributes) {
        if links.count < Self.maximumParts { links.append((link, attributes)) }
    }
}
