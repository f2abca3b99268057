package import Core

/// Reads what a pod answers to `GET /capacity`, in either form (design §6):
///
/// - flat: `{"available_cpus":8,"available_gpus":2,"available_memory_gb":32,"total_workers":8,"idle_workers":8}`, with an object
///   `"total":{"cpus":8,"gpus":2,"memory_gb":32}` beside it or not;
/// - nested, as neutrino-core itself answers: `{"total":{…},"available":{…},"allocated":{…},"workers":[{"state":"Idle","available":{…}},…]}`.
///
/// What else is in it is passed over. Of a member that comes twice the last one counts.
package enum CapacityReader {
    /// Reads an answer's body.
    /// - Throws: A ``PodsError`` of ``PodsError/Code/invalidReport`` that names what is wrong: not JSON, or an amount that is missing, not
    ///   a number, negative, or over ``Core/ResourceVector/maximumUnits``.
    package static func read(_ body: some Sequence<UInt8>) throws(PodsError) -> CapacityReport {
        var result: Result<CapacityReport, PodsError>?
        _ = body.withContiguousStorageIfAvailable { bytes in result = parse(UnsafeRawBufferPointer(bytes)) }
        if let result { return try result.get() }
        Array(body).withUnsafeBytes { bytes in result = parse(bytes) }
        return try result!.get()
    }

    private static func parse(_ bytes: UnsafeRawBufferPointer) -> Result<CapacityReport, PodsError> {
        do throws(PodsError) {
            var scanner = JSONScanner(bytes)
            guard try scanner.kind() == .object else { throw PodsError(.invalidReport, "not a JSON object") }
            var reading = Reading()
            try scanner.object { scanner, name throws(PodsError) in try reading.take(name, &scanner) }
            try scanner.end()
            return .success(try reading.report())
        } catch {
            return .failure(error)
        }
    }
}

/// The members of an answer as far as they were read.
private struct Reading {
    var flat = Amounts()
    var available: ResourceVector?
    var total: ResourceVector?
    var idleWorkers: Int?
    var totalWorkers: Int?
    var workers: [CapacityReport.Worker]?

    mutating func take(_ name: UnsafeRawBufferPointer, _ scanner: inout JSONScanner) throws(PodsError) {
        if name.equals("available_cpus") {
            flat.cpus = try scanner.amount("available_cpus")
        } else if name.equals("available_gpus") {
            flat.gpus = try scanner.amount("available_gpus")
        } else if name.equals("available_memory_gb") {
            flat.memory = try scanner.amount("available_memory_gb")
        } else if name.equals("idle_workers") {
            idleWorkers = try scanner.count("idle_workers")
        } else if name.equals("total_workers") {
            totalWorkers = try scanner.count("total_workers")
        } else if name.equals("available") {
            available = try scanner.amounts("available")
        } else if name.equals("total") {
            total = try scanner.amounts("total")
        } else if name.equals("workers"), try scanner.kind() == .array {
            workers = try scanner.workers()
        } else {
            try scanner.skip()
        }
    }

    func report() throws(PodsError) -> CapacityReport {
        let free: ResourceVector
        if let available {
            free = available
        } else {
            free = try flat.vector(["available_cpus", "available_gpus", "available_memory_gb"])
        }
        return CapacityReport(
            available: free,
            total: total,
            idleWorkers: idleWorkers,
            totalWorkers: totalWorkers,
            workers: workers
        )
    }
}

/// The three amounts of a vector, in thousandths, as far as they were read.
private struct Amounts {
    var cpus: Int64?
    var gpus: Int64?
    var memory: Int64?

    /// - Parameter names: What the amounts are called, in order.
    func vector(_ names: [StaticString]) throws(PodsError) -> ResourceVector {
        guard let cpus else { throw PodsError(.invalidReport, "\(names[0]) is missing") }
        guard let gpus else { throw PodsError(.invalidReport, "\(names[1]) is missing") }
        guard let memory else { throw PodsError(.invalidReport, "\(names[2]) is missing") }
        return ResourceVector(cpus: cpus, gpus: gpus, memory: memory)
    }
}

extension JSONScanner {
    /// Reads an amount as thousandths, rounded as reports are; nil for null.
    fileprivate mutating func amount(_ name: StaticString) throws(PodsError) -> Int64? {
        guard let value = try numberOrNull(name) else { return nil }
        guard let vector = ResourceVector(reportedCPUs: value, gpus: 0, memoryGB: 0) else {
            throw outOfRange(name, value)
        }
        return vector.cpus
    }

    /// Reads a number of workers; nil for null.
    fileprivate mutating func count(_ name: StaticString) throws(PodsError) -> Int? {
        guard let value = try numberOrNull(name) else { return nil }
        guard value >= 0, value <= ResourceVector.maximumUnits else { throw outOfRange(name, value) }
        guard value == value.rounded() else { throw PodsError(.invalidReport, "\(name) is not a whole number") }
        return Int(value)
    }

    /// Reads `{"cpus":…,"gpus":…,"memory_gb":…}`; nil for null.
    fileprivate mutating func amounts(_ name: StaticString) throws(PodsError) -> ResourceVector? {
        switch try kind() {
        case .null:
            try skip()
            return nil
        case .object:
            break
        case .array, .string, .number, .bool:
            throw PodsError(.invalidReport, "\(name) is not an object")
        }
        var amounts = Amounts()
        do throws(PodsError) {
            try object { scanner, member throws(PodsError) in
                if member.equals("cpus") {
                    amounts.cpus = try scanner.amount("cpus")
                } else if member.equals("gpus") {
                    amounts.gpus = try scanner.amount("gpus")
                } else if member.equals("memory_gb") {
                    amounts.memory = try scanner.amount("memory_gb")
                } else {
                    try scanner.skip()
                }
            }
            return try amounts.vector(["cpus", "gpus", "memory_gb"])
        } catch {
            throw PodsError(.invalidReport, "in \(name): \(error.message)")
        }
    }

    fileprivate mutating func workers() throws(PodsError) -> [CapacityReport.Worker] {
        var workers: [CapacityReport.Worker] = []
        try array { scanner throws(PodsError) in
            guard try scanner.kind() == .object else {
                throw PodsError(.invalidReport, "a member of workers is not an object")
            }
            var isIdle = false
            var available: ResourceVector?
            try scanner.object { scanner, member throws(PodsError) in
                if member.equals("state"), try scanner.kind() == .string {
                    isIdle = try scanner.string().equalsIgnoringCase("idle")
                } else if member.equals("available") {
                    available = try scanner.amounts("available of a worker")
                } else {
                    try scanner.skip()
                }
            }
            // What a busy worker has left does not matter; an idle one without an amount can be given nothing.
            guard available != nil || !isIdle else {
                throw PodsError(.invalidReport, "an idle worker does not say what it has available")
            }
            workers.append(CapacityReport.Worker(available: available ?? .zero, isIdle: isIdle))
        }
        return workers
    }

    private mutating func numberOrNull(_ name: StaticString) throws(PodsError) -> Double? {
        switch try kind() {
        case .number: return try number()
        case .null:
            try skip()
            return nil
        case .object, .array, .string, .bool:
            throw PodsError(.invalidReport, "\(name) is not a number")
        }
    }

    private func outOfRange(_ name: StaticString, _ value: Double) -> PodsError {
        let why = value < 0 ? "negative" : "over \(Int(ResourceVector.maximumUnits))"
        return PodsError(.invalidReport, "\(name) is \(why)")
    }
}
