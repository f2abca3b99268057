package import Core
package import NIOCore

/// What to look for in the domain name system.
package struct DNSConfiguration: Sendable {
    /// `DNS_NAME`: a name with addresses, or of services (`_http._tcp.pods.example`).
    package var name: String
    /// `DNS_PORT`; of services it is in their records.
    package var port: Int?
    package var scheme = PodDescription.Scheme.http
    package var family = Family.auto
    /// `DNS_REFRESH`: the longest time between two lookups.
    package var longestPause = Duration.seconds(10)
    /// The shortest, whatever the records say.
    package var shortestPause = Duration.seconds(1)
    /// How long a name that was there has to be gone before its pods are.
    package var patience = Duration.seconds(10)
    /// `DNS_SERVER`: in place of those of `/etc/resolv.conf`, an address and a port.
    package var server: (host: String, port: Int)?

    /// `DNS_FAMILY`: which of a name's addresses are used. A pod that has one of each family would be two otherwise, with twice the room.
    package enum Family: String, CaseIterable, Sendable {
        /// IPv4 where there are any, else IPv6.
        case auto
        case ipv4
        case ipv6
    }

    package init(name: String, port: Int? = nil) {
        self.name = name
        self.port = port
    }

    /// Whether the name is one of services: `_service._protocol.` before a domain (RFC 2782).
    package var isOfServices: Bool { name.hasPrefix("_") && name.contains("._") }
}

/// Pods by the addresses, or the services, that a name has; looked up again when the records' time is over.
///
/// While no name server knows an answer, the last known pods stay; also for a while when the name is gone, since a server that has just
/// begun does not know its names yet.
package struct DNSDiscovery: PodDiscovery {
    private let configuration: DNSConfiguration
    private let lookup: DNSLookup
    private let clock: any Clock<Duration>

    package init(
        configuration: DNSConfiguration,
        group: any EventLoopGroup,
        clock: any Clock<Duration> = ContinuousClock()
    ) {
        self.configuration = configuration
        self.clock = clock
        let server = configuration.server.map { ResolverSettings.Server(host: $0.host, port: $0.port) }
        let resolver = DNSResolver(client: DNSClient(group: group)) {
            var settings = ResolverSettings((try? SmallFile.text("/etc/resolv.conf")) ?? "")
            if let server { settings.servers = [server] }
            return settings
        }
        lookup = DNSLookup(configuration: configuration, resolver: resolver)
    }

    package func run(_ report: @Sendable (DiscoveryUpdate) async -> Void) async throws {
        var memory = DNSMemory(patience: configuration.patience)
        var last: DiscoveryUpdate?
        while true {
            var pause = configuration.longestPause
            let update: DiscoveryUpdate
            do throws(DiscoveryError) {
                let found = try await lookup.look(remembering: memory.pods)
                // What some server could not tell is asked for again soon.
                let lifetime = found.problem == nil ? found.lifetime ?? 0 : 0
                pause = min(max(.seconds(lifetime), configuration.shortestPause), pause)
                update = self.update(found, &memory)
            } catch {
                pause = configuration.shortestPause
                update = DiscoveryUpdate(pods: memory.pods, problem: error.message)
            }
            try Task.checkCancellation()
            if memory.isWaiting { pause = configuration.shortestPause }
            if update.pods != last?.pods || update.problem != last?.problem {
                last = update
                await report(update)
            }
            try await clock.sleep(for: pause)
            memory.time += pause
        }
    }

    /// Looks once, for `check`.
    package func lookOnce() async throws(DiscoveryError) -> DiscoveryUpdate {
        var memory = DNSMemory(patience: configuration.patience)
        return update(try await lookup.look(remembering: []), &memory)
    }

    private func update(_ found: DNSLookup.Found, _ memory: inout DNSMemory) -> DiscoveryUpdate {
        let (pods, problem) = memory.take(found.pods, gone: found.gone, name: configuration.name)
        let problems = [problem, found.problem?.message, found.mistake].compactMap { $0 }
        return DiscoveryUpdate(pods: pods, problem: problems.isEmpty ? nil : problems.joined(separator: "; "))
    }
}
