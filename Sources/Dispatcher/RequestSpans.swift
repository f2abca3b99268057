import Core
import NIOCore
import Queue
import Tracing

/// The spans of one traced request: the server's, from its last byte to its end, and in it `hold` while it waits and `upstream` for each
/// attempt. Used on the request's event loop only.
///
/// Nothing that a client sent goes into them but its method: no path, no query, no field.
final class RequestSpans {
    private let tracer: any Tracer
    private let request: QueuedRequest
    private let server: any Span
    private var hold: (any Span)?
    private var upstream: (any Span)?
    /// What the clock of spans shows when that of deadlines shows 0.
    private let epoch: UInt64

    init(of request: QueuedRequest, tracer: any Tracer) {
        self.tracer = tracer
        self.request = request
        let epoch = DefaultTracerClock.now.nanosecondsSinceEpoch &- NIODeadline.now().uptimeNanoseconds
        self.epoch = epoch
        var context = InstrumentationContext.topLevel
        tracer.extract(request.fields, into: &context, using: TraceFields())
        let method = request.method.rawValue
        server = tracer.startSpan(
            request.route.template.map { "\(method) \($0)" } ?? method,
            context: context,
            ofKind: .server,
            at: SpanInstant(request.arrivedAt, epoch)
        )
        guard server.isRecording else { return }
        server.updateAttributes { attributes in
            attributes["http.request.method"] = method
            attributes["http.route"] = request.route.template
            attributes["neutrino.route"] = request.route.id
            attributes["neutrino.priority"] = "\(request.priority)"
        }
    }

    /// It waits: its row is committed, or a pod gave it back.
    func held(at now: NIODeadline) {
        guard server.isRecording, hold == nil else { return }
        hold = start("hold", .internal, at: now)
    }

    /// It is sent to a pod.
    /// - Returns: The fields to send: they name the attempt's span as the parent of what the pod begins.
    func dispatched(to pod: Pod, attempt: Int, at now: NIODeadline) -> HeaderFields {
        var fields = request.fields
        guard server.isRecording else {
            // Whose trace it is has decided that it is not recorded, and said so in the field that goes on as it came.
            if !fields.contains("traceparent") { tracer.inject(server.context, into: &fields, using: TraceFields()) }
            return fields
        }
        hold?.end(at: instant(now))
        hold = nil
        let span = start("upstream", .client, at: now)
        span.updateAttributes { attributes in
            attributes["http.request.method"] = request.method.rawValue
            attributes["http.request.resend_count"] = attempt > 1 ? attempt - 1 : nil
            attributes["server.address"] = pod.description.host
            attributes["server.port"] = pod.description.port
            attributes["neutrino.pod"] = pod.id
        }
        tracer.inject(span.context, into: &fields, using: TraceFields())
        upstream = span
        return fields
    }

    /// The attempt is over.
    /// - Parameters:
    ///   - status: Of the pod's answer, where there was one.
    ///   - problem: Why it was not whole, as a word; nil where it was.
    func attemptEnded(status: Int?, problem: String? = nil, at now: NIODeadline) {
        guard let upstream else { return }
        self.upstream = nil
        let error = problem ?? status.flatMap { $0 >= 400 ? "\($0)" : nil }
        upstream.updateAttributes { attributes in
            attributes["http.response.status_code"] = status
            attributes["error.type"] = error
        }
        if error != nil { upstream.setStatus(SpanStatus(code: .error)) }
        upstream.end(at: instant(now))
    }

    /// The request is over.
    func ended(_ state: RequestState, _ reason: EndReason, status: Int?, at now: NIODeadline) {
        attemptEnded(status: nil, problem: reason.rawValue, at: now)
        hold?.end(at: instant(now))
        hold = nil
        guard server.isRecording else { return server.end(at: instant(now)) }
        let isError = (status ?? 0) >= 500 || state == .failed
        server.updateAttributes { attributes in
            if request.isStamped { attributes["neutrino.request_id"] = request.id.description }
            attributes["http.response.status_code"] = status
            attributes["neutrino.state"] = state.name
            attributes["neutrino.reason"] = reason.rawValue
            attributes["error.type"] = isError ? reason == .ok ? status.map { "\($0)" } : reason.rawValue : nil
        }
        if isError { server.setStatus(SpanStatus(code: .error)) }
        server.end(at: instant(now))
    }

    private func start(_ name: String, _ kind: SpanKind, at now: NIODeadline) -> any Span {
        tracer.startSpan(name, context: server.context, ofKind: kind, at: instant(now))
    }

    private func instant(_ time: NIODeadline) -> SpanInstant { SpanInstant(time, epoch) }
}

/// A deadline as a time of day.
private struct SpanInstant: TracerInstant {
    let nanosecondsSinceEpoch: UInt64

    init(_ time: NIODeadline, _ epoch: UInt64) { nanosecondsSinceEpoch = epoch &+ time.uptimeNanoseconds }

    static func < (left: SpanInstant, right: SpanInstant) -> Bool {
        left.nanosecondsSinceEpoch < right.nanosecondsSinceEpoch
    }
}

/// Reads and writes a trace's context in a request's fields.
private struct TraceFields: Extractor, Injector {
    /// All lines of a name as one list (RFC 9110 §5.3): `tracestate` may come in several.
    func extract(key: String, from fields: HeaderFields) -> String? {
        var key = key
        let values = key.withUTF8 { key in
            var values: [String] = []
            fields.forEach { name, value in
                guard name.equalsIgnoringCase(UnsafeRawBufferPointer(key)) else { return }
                values.append(String(decoding: value, as: UTF8.self))
            }
            return values
        }
        return values.isEmpty ? nil : values.joined(separator: ", ")
    }

    func inject(_ value: String, forKey key: String, into fields: inout HeaderFields) {
        var name = key
        name.withUTF8 { key in
            fields.removeAll { name, _ in name.equalsIgnoringCase(UnsafeRawBufferPointer(key)) }
        }
        fields.append(key, value)
    }
}
