/// One metric with all its series, as they are at one moment.
package struct MetricFamily: Sendable, Equatable {
    package enum Kind: String, Sendable {
        /// Only ever grows, but for a restart.
        case counter
        case gauge
        case histogram
    }

    /// What tells the series of a metric apart. Values may be any text, but must come from a bounded set.
    package struct Label: Sendable, Hashable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package enum Value: Sendable, Equatable {
        case number(Double)
        case histogram(HistogramValue)
    }

    package struct Series: Sendable, Equatable {
        package var labels: [Label]
        package var value: Value
    }

    package var name: String
    package var kind: Kind
    /// One sentence: what it counts, and its unit where the name does not say it.
    package var help: String
    package private(set) var series: [Series] = []

    package init(_ kind: Kind, _ name: String, _ help: String) {
        self.kind = kind
        self.name = name
        self.help = help
    }

    package mutating func add(_ value: Double, _ labels: [Label] = []) {
        series.append(Series(labels: labels, value: .number(value)))
    }

    package mutating func add(_ value: Int, _ labels: [Label] = []) { add(Double(value), labels) }

    /// As 1 and 0.
    package mutating func add(_ value: Bool, _ labels: [Label] = []) { add(value ? 1.0 : 0, labels) }

    package mutating func add(_ value: HistogramValue, _ labels: [Label] = []) {
        series.append(Series(labels: labels, value: .histogram(value)))
    }

    /// Takes in the series of a family of the same name and kind.
    mutating func merge(_ other: MetricFamily) { series += other.series }

    // MARK: With one series without labels

    package static func counter(_ name: String, _ help: String, _ value: Double) -> MetricFamily {
        one(.counter, name, help, .number(value))
    }

    package static func counter(_ name: String, _ help: String, _ value: Int) -> MetricFamily {
        counter(name, help, Double(value))
    }

    package static func gauge(_ name: String, _ help: String, _ value: Double) -> MetricFamily {
        one(.gauge, name, help, .number(value))
    }

    package static func gauge(_ name: String, _ help: String, _ value: Int) -> MetricFamily {
        gauge(name, help, Double(value))
    }

    package static func gauge(_ name: String, _ help: String, _ value: Bool) -> MetricFamily {
        gauge(name, help, value ? 1.0 : 0)
    }

    package static func histogram(_ name: String, _ help: String, _ value: HistogramValue) -> MetricFamily {
        one(.histogram, name, help, .histogram(value))
    }

    private static func one(_ kind: Kind, _ name: String, _ help: String, _ value: Value) -> MetricFamily {
        var family = MetricFamily(kind, name, help)
        family.series = [Series(labels: [], value: value)]
        return family
    }
}

/// Values counted by size.
package struct HistogramValue: Sendable, Equatable {
    /// Upper bounds, included, growing.
    package var bounds: [Double]
    /// One more than bounds: how many values were within each and above the one before.
    package var counts: [Int]
    package var sum: Double

    package init(bounds: [Double], counts: [Int], sum: Double) {
        precondition(counts.count == bounds.count + 1, "a histogram has one count more than bounds")
        self.bounds = bounds
        self.counts = counts
        self.sum = sum
    }

    init(bounds: [Double]) {
        self.init(bounds: bounds, counts: [Int](repeating: 0, count: bounds.count + 1), sum: 0)
    }

    mutating func record(_ value: Double) {
        guard !value.isNaN else { return }
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
        sum += value
    }
}
