import HTTP
package import Tracing

/// A tracer whose spans go to an OpenTelemetry collector. Spans of a trace that is not recorded cost little and carry its context on.
package struct OTLPTracer: Tracer {
    private let sampler: TraceSampler
    private let buffer: SpanBuffer
    private let random: @Sendable () -> UInt64

    /// - Parameters:
    ///   - buffer: Where spans wait to be sent.
    ///   - random: Numbers for ids.
    package init(
        sampler: TraceSampler,
        buffer: SpanBuffer,
        random: @escaping @Sendable () -> UInt64 = { .random(in: .min ... .max) }
    ) {
        self.sampler = sampler
        self.buffer = buffer
        self.random = random
    }

    package func startSpan<Instant: TracerInstant>(
        _ operationName: String,
        context: @autoclosure () -> InstrumentationContext,
        ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant,
        function: String,
        file fileID: String,
        line: UInt
    ) -> OTLPSpan {
        var context = context()
        let parent = context.spanContext
        // No id is all zero.
        var own = TraceParent(
            traceHigh: parent?.parent.traceHigh ?? random(),
            traceLow: parent?.parent.traceLow ?? random() | 1,
            span: random() | 1,
            flags: 0
        )
        if sampler.samples(traceLow: own.traceLow, isParentSampled: parent?.isSampled) {
            own.flags = TraceParent.sampled
        }
        context.spanContext = SpanContext(parent: own, state: parent?.state)
        return OTLPSpan(
            context: context,
            own: own,
            parent: parent,
            name: operationName,
            kind: kind,
            start: instant().nanosecondsSinceEpoch,
            buffer: own.isSampled ? buffer : nil
        )
    }

    package func forceFlush() {
        // The exporter sends within a second by itself.
    }

    package func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier,
        into context: inout InstrumentationContext,
        using extractor: Extract
    ) where Extract.Carrier == Carrier {
        guard var value = extractor.extract(key: TraceParent.field, from: carrier) else { return }
        guard let parent = value.withUTF8({ TraceParent(UnsafeRawBufferPointer($0)) }) else { return }
        let state = extractor.extract(key: TraceParent.stateField, from: carrier)
        context.spanContext = SpanContext(parent: parent, state: state)
    }

    package func inject<Carrier, Inject: Injector>(
        _ context: InstrumentationContext,
        into carrier: inout Carrier,
        using injector: Inject
    ) where Inject.Carrier == Carrier {
        guard let own = context.spanContext else { return }
        injector.inject(own.parent.description, forKey: TraceParent.field, into: &carrier)
        if let state = own.state { injector.inject(state, forKey: TraceParent.stateField, into: &carrier) }
    }
}
