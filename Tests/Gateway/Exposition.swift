/// Reads the text exposition format strictly, and knows what is expected of names: what `promtool check metrics` would say.
struct Exposition {
    struct Series: Hashable {
        var name: String
        var labels: [String: String]
    }

    struct Family {
        var kind: String
        var help: String
        var series: [Series: Double] = [:]
        /// In the order of the lines.
        var order: [Series] = []

        /// Names of labels, without a histogram's own.
        var labels: Set<String> { Set(order.flatMap(\.labels.keys)).subtracting(["le"]) }
    }

    struct Problem: Error, CustomStringConvertible {
        var description: String
    }

    private(set) var families: [String: Family] = [:]

    /// - Throws: ``Problem`` with the line that is wrong.
    init(parsing text: String) throws {
        guard text.hasSuffix("\n") else { throw Problem(description: "the last line has no end") }
        var help: (name: String, text: String)?
        var current: String?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            do {
                if line.hasPrefix("# HELP ") {
                    let words = line.dropFirst(7).split(separator: " ", maxSplits: 1)
                    guard words.count == 2, help == nil else { throw Problem(description: "no text, or no type") }
                    help = (String(words[0]), String(words[1]))
                } else if line.hasPrefix("# TYPE ") {
                    let words = line.dropFirst(7).split(separator: " ").map(String.init)
                    guard words.count == 2, let text = help, text.name == words[0] else {
                        throw Problem(description: "no help before it")
                    }
                    guard families[words[0]] == nil else { throw Problem(description: "told twice") }
                    families[words[0]] = Family(kind: words[1], help: text.text)
                    (current, help) = (words[0], nil)
                } else {
                    guard let current, help == nil else { throw Problem(description: "no type before it") }
                    try add(line, to: current)
                }
            } catch let problem as Problem {
                throw Problem(description: "\(line): \(problem)")
            }
        }
        for (name, family) in families { try check(name, family) }
    }

    private mutating func add(_ line: Substring, to family: String) throws {
        var rest = line[...]
        let name = String(rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") })
        rest = rest.dropFirst(name.count)
        let suffixes = families[family]?.kind == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
        guard suffixes.contains(where: { name == family + $0 }) else { throw Problem(description: "not of \(family)") }
        var labels: [String: String] = [:]
        if rest.first == "{" {
            rest = rest.dropFirst()
            while rest.first != "}" {
                let label = String(rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") })
                rest = rest.dropFirst(label.count)
                guard !label.isEmpty, rest.hasPrefix("=\"") else { throw Problem(description: "no label") }
                rest = rest.dropFirst(2)
                let value = try Self.quoted(&rest)
                guard labels.updateValue(value, forKey: label) == nil else { throw Problem(description: "label twice") }
                if rest.first == "," { rest = rest.dropFirst() }
            }
            rest = rest.dropFirst()
        }
        guard rest.first == " ", let value = Double(rest.dropFirst().replacing("+Inf", with: "inf")) else {
            throw Problem(description: "no value")
        }
        let series = Series(name: name, labels: labels)
        guard families[family]?.series.updateValue(value, forKey: series) == nil else {
            throw Problem(description: "told twice")
        }
        families[family]?.order.append(series)
    }

    private static func quoted(_ rest: inout Substring) throws -> String {
        var value = ""
        while let character = rest.popFirst() {
            switch character {
            case "\"": return value
            case "\\":
                switch rest.popFirst() {
                case "n": value += "\n"
                case "\\": value += "\\"
                case "\"": value += "\""
                default: throw Problem(description: "an unknown escape")
                }
            default: value.append(character)
            }
        }
        throw Problem(description: "a value without an end")
    }

    /// Names and values as their kind demands.
    private func check(_ name: String, _ family: Family) throws {
        func demand(_ condition: Bool, _ text: String) throws {
            if !condition { throw Problem(description: "\(name): \(text)") }
        }
        try demand(["counter", "gauge", "histogram"].contains(family.kind), "type \(family.kind)")
        try demand(name == name.lowercased(), "upper case")
        try demand(name.hasSuffix("_total") == (family.kind == "counter"), "counters and only they end in _total")
        for unit in ["milliseconds", "microseconds", "minutes", "kilobytes", "megabytes", "percent"] {
            try demand(!name.contains(unit), "base units only")
        }
        for kind in ["counter", "gauge", "histogram"] { try demand(!name.contains(kind), "its kind in its name") }
        for suffix in ["_sum", "_count", "_bucket"] {
            try demand(!name.hasSuffix(suffix), "ends as a histogram's parts")
        }
        try demand(!family.series.isEmpty, "no series")
        if family.kind == "counter" { try demand(family.series.values.allSatisfy { $0 >= 0 }, "below 0") }
        if family.kind == "histogram" { try checkBuckets(name, family, demand) }
    }

    private func checkBuckets(_ name: String, _ family: Family, _ demand: (Bool, String) throws -> Void) throws {
        var last: [[String: String]: (bound: Double, count: Double)] = [:]
        for series in family.order where series.name == name + "_bucket" {
            var labels = series.labels
            let bound = labels.removeValue(forKey: "le").flatMap { Double($0.replacing("+Inf", with: "inf")) }
            let count = family.series[series] ?? 0
            let before = last[labels] ?? (-.infinity, 0)
            try demand((bound ?? -.infinity) > before.bound && count >= before.count, "buckets do not grow")
            last[labels] = (bound ?? 0, count)
        }
        for (labels, largest) in last {
            try demand(largest.bound == .infinity, "no bucket for all")
            let count = family.series[Series(name: name + "_count", labels: labels)]
            try demand(count == largest.count, "the count is not that of the last bucket")
            try demand(family.series[Series(name: name + "_sum", labels: labels)] != nil, "no sum")
        }
    }
}
