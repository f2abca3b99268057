/// Names as Prometheus allows and expects them.
enum MetricName {
    /// The name of a metric that somebody records through swift-metrics under a label of any form, with the ending that its kind has.
    static func name(_ label: String, ending: String = "") -> String {
        let name = sanitized(label, colons: true)
        return name.hasSuffix(ending) ? name : name + ending
    }

    static func label(_ name: String) -> String {
        let name = sanitized(name, colons: false)
        // Two underscores in front are the server's own; `le` is a histogram's.
        if name == "le" { return "le_" }
        return name.hasPrefix("__") ? "x" + name : name
    }

    private static func sanitized(_ text: String, colons: Bool) -> String {
        var name = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
                name.unicodeScalars.append(Unicode.Scalar(byte))
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                if name.isEmpty { name = "_" }
                name.unicodeScalars.append(Unicode.Scalar(byte))
            case UInt8(ascii: ":") where colons:
                name += ":"
            default:
                name += "_"
            }
        }
        return name.isEmpty ? "_" : name
    }
}
