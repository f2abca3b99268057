import Core
import Discovery
import NIOConcurrencyHelpers
import NIOPosix

/// A name server, and a discovery that asks it again whenever something has changed.
struct NameWorld: DiscoveryWorld {
    static let name = "pods.test."

    let server: NameServer
    let clock = PausedClock()
    let configuration: DNSConfiguration

    init(
        _ hosts: [String] = [],
        name: String = Self.name,
        _ change: (inout DNSConfiguration) -> Void = { _ in }
    ) async throws {
        server = try await NameServer()
        var configuration = DNSConfiguration(name: name, port: 8080)
        configuration.server = ("127.0.0.1", server.port)
        change(&configuration)
        self.configuration = configuration
        // Not `set`: the first lookup finds them, and a pause that ended beforehand would make a second one.
        if !hosts.isEmpty { server.set("pods.test", hosts) }
    }

    var discovery: any PodDiscovery {
        DNSDiscovery(configuration: configuration, group: MultiThreadedEventLoopGroup.singleton, clock: clock)
    }

    func set(_ hosts: [String]) {
        server.set("pods.test", hosts)
        clock.goOn()
    }

    func spoil() {
        server.state.withLockedValue { $0.code = 2 }
        clock.goOn()
    }

    func mend() {
        server.state.withLockedValue { $0.code = nil }
        clock.goOn()
    }

    func stop() async throws { try await server.stop() }
}
