/// An amount of each resource that requests need and pods have: CPUs, GPUs and memory.
///
/// Kept as 64-bit thousandths (of a CPU, of a GPU, of 10⁹ bytes of memory as the capacity contract counts them), so that
/// sums are exact. Needs are rounded up and reports to the nearest thousandth: what a pod is said to have never grows by rounding
/// enough to fit a request that it would refuse. Components may become negative in differences.
package struct ResourceVector: Hashable, Sendable {
    /// Thousandths of a CPU.
    package var cpus: Int64
    /// Thousandths of a GPU.
    package var gpus: Int64
    /// Thousandths of a GB of memory.
    package var memory: Int64

    /// The largest amount accepted from outside, in whole units. Sums of 10⁶ such vectors still fit 64 bits.
    package static let maximumUnits = 1_000_000.0

    package static let zero = ResourceVector(cpus: 0, gpus: 0, memory: 0)

    /// Makes a vector from thousandths.
    package init(cpus: Int64, gpus: Int64, memory: Int64) {
        self.cpus = cpus
        self.gpus = gpus
        self.memory = memory
    }

    /// Makes what a request needs from whole units, rounded up; nil where a value is negative, not a number or over ``maximumUnits``.
    package init?(needingCPUs cpus: Double, gpus: Double, memoryGB: Double) {
        self.init(cpus, gpus, memoryGB, .up)
    }

    /// Makes what a pod reports from whole units, rounded to the nearest thousandth; nil where a value is negative, not a number or
    /// over ``maximumUnits``.
    package init?(reportedCPUs cpus: Double, gpus: Double, memoryGB: Double) {
        self.init(cpus, gpus, memoryGB, .toNearestOrAwayFromZero)
    }

    private init?(_ cpus: Double, _ gpus: Double, _ memory: Double, _ rule: FloatingPointRoundingRule) {
        guard let cpus = Self.thousandths(cpus, rule), let gpus = Self.thousandths(gpus, rule),
            let memory = Self.thousandths(memory, rule)
        else { return nil }
        self.init(cpus: cpus, gpus: gpus, memory: memory)
    }

    private static func thousandths(_ units: Double, _ rule: FloatingPointRoundingRule) -> Int64? {
        guard units >= 0, units <= maximumUnits else { return nil }
        let scaled = units * 1000
        // 0.1 + 0.2 is a hair over 0.3: a need is not to grow by a thousandth for what binary fractions cannot say.
        let nearest = scaled.rounded()
        return Int64(abs(scaled - nearest) < 1e-6 ? nearest : scaled.rounded(rule))
    }

    /// Whether every component of this amount is available in `free`.
    @inlinable
    package func fits(in free: ResourceVector) -> Bool {
        cpus <= free.cpus && gpus <= free.gpus && memory <= free.memory
    }

    /// The component-wise smaller of both.
    package func capped(by other: ResourceVector) -> ResourceVector {
        ResourceVector(cpus: min(cpus, other.cpus), gpus: min(gpus, other.gpus), memory: min(memory, other.memory))
    }

    /// The component-wise larger of both.
    package func raised(to other: ResourceVector) -> ResourceVector {
        ResourceVector(cpus: max(cpus, other.cpus), gpus: max(gpus, other.gpus), memory: max(memory, other.memory))
    }

    @inlinable
    package static func + (left: ResourceVector, right: ResourceVector) -> ResourceVector {
        ResourceVector(cpus: left.cpus + right.cpus, gpus: left.gpus + right.gpus, memory: left.memory + right.memory)
    }

    @inlinable
    package static func - (left: ResourceVector, right: ResourceVector) -> ResourceVector {
        ResourceVector(cpus: left.cpus - right.cpus, gpus: left.gpus - right.gpus, memory: left.memory - right.memory)
    }

    @inlinable
    package static func += (left: inout ResourceVector, right: ResourceVector) { left = left + right }

    @inlinable
    package static func -= (left: inout ResourceVector, right: ResourceVector) { left = left - right }
}

/// The dimensions of a ``ResourceVector``, by the names they have on the wire.
package enum ResourceDimension: String, CaseIterable, Sendable {
    case cpus
    case gpus
    case memory = "memory_gb"
}

extension ResourceVector {
    /// The component of one dimension, in thousandths.
    package subscript(dimension: ResourceDimension) -> Int64 {
        switch dimension {
        case .cpus: cpus
        case .gpus: gpus
        case .memory: memory
        }
    }

    /// Thousandths as people write them: `1`, `0.5`, `16.25`. Never in exponent form.
    package static func decimal(_ thousandths: Int64) -> String {
        let (whole, rest) = thousandths.magnitude.quotientAndRemainder(dividingBy: 1000)
        let sign = thousandths < 0 ? "-" : ""
        guard rest != 0 else { return "\(sign)\(whole)" }
        var fraction = String(rest + 1000).dropFirst()
        while fraction.last == "0" { fraction = fraction.dropLast() }
        return "\(sign)\(whole).\(fraction)"
    }
}

extension ResourceVector: CustomStringConvertible {
    /// `cpus=1, gpus=1, memory_gb=16`: the members of a structured-field dictionary (RFC 9651 §3.2), as in `Neutrino-Resources`.
    package var description: String {
        ResourceDimension.allCases.map { "\($0.rawValue)=\(Self.decimal(self[$0]))" }.joined(separator: ", ")
    }
}
