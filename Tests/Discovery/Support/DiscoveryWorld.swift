import Core
import Discovery
import Foundation
import NIOConcurrencyHelpers

/// A source of pods that a test can change, and the discovery that finds them there: what ``DiscoveryContractTests`` is about.
protocol DiscoveryWorld: Sendable {
    var discovery: any PodDiscovery { get }
    /// These are all pods now, `http` on port 8080.
    func set(_ hosts: [String]) async throws
    /// Makes the source say nothing that can be used, while its pods stay as they are.
    func spoil() async throws
    /// Takes that back.
    func mend() async throws
    func stop() async throws
}

/// The kinds of discovery.
enum DiscoveryKind: String, CaseIterable, Sendable {
    case `static`
    case file
    case kubernetes
    case dns

    /// Whether its source can be spoiled; a list that is handed in cannot.
    var canFail: Bool { self != .static }

    func world(_ hosts: [String]) async throws -> any DiscoveryWorld {
        switch self {
        case .static: StaticWorld(hosts)
        case .file: try FileWorld(hosts)
        case .dns: try await NameWorld(hosts)
        case .kubernetes: try await KubernetesWorld(hosts: hosts)
        }
    }
}

struct StaticWorld: DiscoveryWorld {
    private let list: StaticDiscovery

    init(_ hosts: [String]) { list = StaticDiscovery(backends: hosts.map(Self.pod)) }

    var discovery: any PodDiscovery { list }
    func set(_ hosts: [String]) { list.update(hosts.map(Self.pod)) }
    func spoil() {}
    func mend() {}
    func stop() {}

    private static func pod(_ host: String) -> PodDescription { PodDescription(host: host, port: 8080) }
}

/// A file, looked at whenever it was changed.
final class FileWorld: DiscoveryWorld {
    let path = FileManager.default.temporaryDirectory.appending(path: "pods-\(UUID().uuidString).yaml").path
    private let look = Trigger()
    private let hosts: NIOLockedValueBox<[String]>

    init(_ hosts: [String]) throws {
        self.hosts = NIOLockedValueBox(hosts)
        try mend()
    }

    var discovery: any PodDiscovery {
        FileDiscovery(path: path) { [look] in try await look.wait() }
    }

    func write(_ text: String) throws {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        look.pull()
    }

    func set(_ hosts: [String]) throws {
        self.hosts.withLockedValue { $0 = hosts }
        try mend()
    }

    func spoil() throws { try write("- http://") }

    func mend() throws {
        let hosts = hosts.withLockedValue { $0 }
        try write(hosts.isEmpty ? "[]" : hosts.map { "- http://\($0):8080\n" }.joined())
    }

    func stop() throws { try FileManager.default.removeItem(atPath: path) }
}
