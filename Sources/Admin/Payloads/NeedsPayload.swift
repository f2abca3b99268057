import Core

/// An amount of resources in whole units.
package struct NeedsPayload: Codable, Equatable, Sendable {
    package var cpus: Double
    package var gpus: Double
    package var memoryGb: Double

    init(_ vector: ResourceVector) {
        cpus = Double(vector.cpus) / 1000
        gpus = Double(vector.gpus) / 1000
        memoryGb = Double(vector.memory) / 1000
    }
}
