import HTTP
import Tracing

/// What a span hands on to those that begin in it, here or at another service.
package struct SpanContext: Sendable, Hashable {
    /// Trace, span and flags, as W3C Trace Context writes them.
    var parent: TraceParent
    /// `tracestate`, as it came.
    var state: String?

    var isSampled: Bool { parent.isSampled }
}

private enum SpanContextKey: InstrumentationContextKey {
    typealias Value = SpanContext
    static var nameOverride: String? { "neutrino-trace" }
}

extension InstrumentationContext {
    var spanContext: SpanContext? {
        get { self[SpanContextKey.self] }
        set { self[SpanContextKey.self] = newValue }
    }
}
