import Foundation
import HTTP
import Tracing

/// Spans as the OpenTelemetry protocol writes them in JSON (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"): ids in
/// hexadecimal, 64-bit numbers as text, names in camel case. `tracestate` is left out: it is what a client sent.
package struct OTLPDocument: Encodable {
    /// Whose spans they are.
    package struct Resource: Sendable {
        package var serviceName: String
        package var version: String
        /// Tells this process from others of the same service.
        package var instance: String

        package init(serviceName: String, version: String, instance: String) {
            self.serviceName = serviceName
            self.version = version
            self.instance = instance
        }
    }

    private struct ResourceSpans: Encodable {
        struct Described: Encodable { var attributes: [Attribute] }

        var resource: Described
        var scopeSpans: [ScopeSpans]
    }

    private struct ScopeSpans: Encodable {
        struct Scope: Encodable {
            var name: String
            var version: String
        }

        var scope: Scope
        var spans: [OTLPSpanPayload]
    }

    struct Attribute: Encodable {
        var key: String
        var value: OTLPValue
    }

    private let resourceSpans: [ResourceSpans]

    init(_ resource: Resource, _ spans: [SpanRecord]) {
        resourceSpans = [
            ResourceSpans(
                resource: .init(attributes: [
                    Attribute(key: "service.name", value: .string(resource.serviceName)),
                    Attribute(key: "service.version", value: .string(resource.version)),
                    Attribute(key: "service.instance.id", value: .string(resource.instance)),
                ]),
                scopeSpans: [
                    ScopeSpans(
                        scope: .init(name: "neutrino-gateway", version: resource.version),
                        spans: spans.map(OTLPSpanPayload.init)
                    )
                ]
            )
        ]
    }

    func encoded() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        return Array(try encoder.encode(self))
    }
}

struct OTLPSpanPayload: Encodable {
    struct Event: Encodable {
        var timeUnixNano: String
        var name: String
        var attributes: [OTLPDocument.Attribute]
    }

    struct Link: Encodable {
        var traceId: String
        var spanId: String
        var attributes: [OTLPDocument.Attribute]
    }

    struct Status: Encodable {
        /// 0 unset, 1 ok, 2 error.
        var code: Int
        var message: String?
    }

    var traceId: String
    var spanId: String
    var parentSpanId: String?
    var name: String
    /// 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    var kind: Int
    var startTimeUnixNano: String
    var endTimeUnixNano: String
    var attributes: [OTLPDocument.Attribute]
    var events: [Event]?
    var links: [Link]?
    var status: Status?

    init(_ span: SpanRecord) {
        traceId = span.own.traceID
        spanId = span.own.spanID
        parentSpanId = span.parentSpan.map { TraceParent.hex($0) }
        name = span.name
        kind =
            switch span.kind {
            case .internal: 1
            case .server: 2
            case .client: 3
            case .producer: 4
            case .consumer: 5
            }
        startTimeUnixNano = "\(span.start)"
        endTimeUnixNano = "\(span.end)"
        attributes = Self.attributes(span.attributes)
        if !span.events.isEmpty {
            events = span.events.map {
                Event(
                    timeUnixNano: "\($0.nanosecondsSinceEpoch)",
                    name: $0.name,
                    attributes: Self.attributes($0.attributes)
                )
            }
        }
        if !span.links.isEmpty {
            links = span.links.map {
                Link(
                    traceId: $0.context.parent.traceID,
                    spanId: $0.context.parent.spanID,
                    attributes: Self.attributes($0.attributes)
                )
            }
        }
        status = span.status.map { Status(code: $0.code == .ok ? 1 : 2, message: $0.message) }
    }

    private static func attributes(_ attributes: SpanAttributes) -> [OTLPDocument.Attribute] {
        var list: [OTLPDocument.Attribute] = []
        // It is no sequence.
        // swift-format-ignore: ReplaceForEachWithForLoop
        attributes.forEach { list.append(.init(key: $0, value: OTLPValue($1))) }
        return list.sorted { $0.key < $1.key }
    }
}

/// `AnyValue` of the protocol.
enum OTLPValue: Encodable {
    case string(String)
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case array([OTLPValue])

    init(_ attribute: SpanAttribute) {
        switch attribute {
        case .int32(let value): self = .int(Int64(value))
        case .int64(let value): self = .int(value)
        case .double(let value): self = .double(value)
        case .bool(let value): self = .bool(value)
        case .string(let value): self = .string(value)
        case .stringConvertible(let value): self = .string(value.description)
        case .int32Array(let values): self = .array(values.map { .int(Int64($0)) })
        case .int64Array(let values): self = .array(values.map { .int($0) })
        case .doubleArray(let values): self = .array(values.map { .double($0) })
        case .boolArray(let values): self = .array(values.map { .bool($0) })
        case .stringArray(let values): self = .array(values.map { .string($0) })
        case .stringConvertibleArray(let values): self = .array(values.map { .string($0.description) })
        default: self = .string("")
        }
    }

    private enum Key: String, CodingKey {
        case stringValue, boolValue, intValue, doubleValue, arrayValue
    }

    private struct Values: Encodable { var values: [OTLPValue] }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch self {
        case .string(let value): try container.encode(value, forKey: .stringValue)
        case .bool(let value): try container.encode(value, forKey: .boolValue)
        case .int(let value): try container.encode("\(value)", forKey: .intValue)
        // JSON has no word for what is no number.
        case .double(let value) where !value.isFinite: try container.encode("\(value)", forKey: .stringValue)
        case .double(let value): try container.encode(value, forKey: .doubleValue)
        case .array(let values): try container.encode(Values(values: values), forKey: .arrayValue)
        }
    }
}
