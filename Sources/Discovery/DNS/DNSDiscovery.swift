package import Core
package import NIOCore

/// What to look for in the domain name system.
package struct DNSConfiguration: Sendable {
    /// `DNS_NAME`: a name with addresses, or of services (`_http._tcp.pods.example`).
    package var name: String
    /// `DNS_PORT`; of services it is in their records.
    package var port: Int?
    package var scheme = PodDescription.Scheme.http
    /// `DNS_REFRESH`: the longest time between two lookups.
    package var longestPause = Duration.seconds(10)
    /// The shortest, whatever the records say.
    package var shortestPause = Duration.seconds(1)
    /// How long a name that was there has to be gone before its pods are.
    package var patience = Duration.seconds(10)
    /// `DNS_SERVER`: in place of those of `/etc/resolv.conf`, an address and a port.
    package var server: (host: String, port: Int)?

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
    private let resolver: DNSResolver
    private let clock: any Clock<Duration>

    package init(
        configuration: DNSConfiguration,
        group: any EventLoopGroup,
        clock: any Clock<Duration> = ContinuousClock()
    ) {
        self.configuration = configuration
        self.clock = clock
        let server = configuration.server.map { ResolverSettings.Server(host: $0.host, port: $0.port) }
        resolver = DNSResolver(client: DNSClient(group: group)) {
            var settings = ResolverSettings((try? SmallFile.text("/etc/resolv.conf")) ?? "")
            if let server { settings.servers = [server] }
            return settings
        }
    }

    package func run(_ report: @Sendable (DiscoveryUpdate) async -> Void) async throws {
        var memory = DNSMemory(patience: configuration.patience)
        var last: DiscoveryUpdate?
        while true {
            var pause = configuration.longestPause
            let pods: [PodDescription]
            var problem: String?
            do throws(DiscoveryError) {
                var found = try await look()
                // What failed for one family says nothing of it.
                found.pods += memory.pods.filter { found.failed.contains($0.host.contains(":") ? .address6 : .address) }
                pause = min(max(.seconds(found.lifetime ?? 0), configuration.shortestPause), pause)
                (pods, problem) = memory.take(found.pods, name: configuration.name)
            } catch {
                pause = configuration.shortestPause
                (pods, problem) = (memory.pods, error.message)
            }
            try Task.checkCancellation()
            if memory.isWaiting { pause = configuration.shortestPause }
            if pods != last?.pods || problem != last?.problem {
                let update = DiscoveryUpdate(pods: pods, problem: problem)
                last = update
                await report(update)
            }
            try await clock.sleep(for: pause)
            memory.time += pause
        }
    }

    /// Looks once, for `check`.
    package func lookOnce() async throws(DiscoveryError) -> [PodDescription] { try await look().pods }

    /// What a lookup found.
    private struct Found {
        var pods: [PodDescription] = []
        /// Seconds; nil where nothing was said.
        var lifetime: Int?
        /// Families of addresses that no server could tell of, while one could of the other.
        var failed: Set<DNSMessage.RecordType> = []

        mutating func ends(after lifetime: Int?) {
            guard let lifetime else { return }
            self.lifetime = min(self.lifetime ?? .max, lifetime)
        }
    }

    private func look() async throws(DiscoveryError) -> Found {
        var found = Found()
        guard configuration.isOfServices else {
            guard let port = configuration.port else {
                throw DiscoveryError(
                    .invalidConfiguration,
                    "the addresses of \(quoted(configuration.name)) have no port: set DNS_PORT"
                )
            }
            try await addAddresses(of: configuration.name, port, name: nil, to: &found)
            return found
        }
        let services = try await resolver.look(up: configuration.name, .service)
        found.ends(after: services.lifetime)
        for record in services.records {
            // The root as a target says that there is no such service.
            guard case .service(let port, let target) = record.content, !target.isEmpty, port > 0 else { continue }
            var isKnown = false
            for added in services.additional where added.name == target {
                guard case .address(let text) = added.content else { continue }
                isKnown = true
                found.pods.append(pod(text, port, name: target))
                found.ends(after: added.lifetime)
            }
            if !isKnown { try await addAddresses(of: target + ".", port, name: target, to: &found) }
        }
        return found
    }

    /// Of both families. A server that fails for one of them, as some do, does not hide the other.
    private func addAddresses(
        of host: String,
        _ port: Int,
        name: String?,
        to found: inout Found
    ) async throws(DiscoveryError) {
        var problem: DiscoveryError?
        var failed: Set<DNSMessage.RecordType> = []
        var count = 0
        var emptyLifetime: Int?
        for type in [DNSMessage.RecordType.address, .address6] {
            do throws(DiscoveryError) {
                let result = try await resolver.look(up: host, type)
                for record in result.records {
                    guard case .address(let text) = record.content else { continue }
                    found.pods.append(pod(text, port, name: name))
                    count += 1
                }
                if result.records.isEmpty {
                    emptyLifetime = result.lifetime
                } else {
                    found.ends(after: result.lifetime)
                }
            } catch {
                problem = error
                failed.insert(type)
            }
        }
        if count == 0, let problem { throw problem }
        // Most names have addresses of one family only: that the other is missing ends nothing.
        if count == 0 { found.ends(after: emptyLifetime) }
        found.failed.formUnion(failed)
    }

    private func pod(_ address: String, _ port: Int, name: String?) -> PodDescription {
        PodDescription(scheme: configuration.scheme, host: address, port: port, name: name)
    }
}

/// The pods that a name had last, and since when it has none. No I/O, no clock.
struct DNSMemory: Sendable {
    let patience: Duration
    private(set) var pods: [PodDescription] = []
    /// Since the beginning.
    var time = Duration.zero
    private var emptySince: Duration?

    init(patience: Duration) { self.patience = patience }

    /// Whether pods are kept that the name has no more.
    var isWaiting: Bool { emptySince != nil && !pods.isEmpty }

    /// - Returns: The pods to use now, in order, and what is wrong.
    mutating func take(_ found: [PodDescription], name: String) -> (pods: [PodDescription], problem: String?) {
        if !found.isEmpty {
            emptySince = nil
            pods = Set(found).sorted { $0.id < $1.id }
            return (pods, nil)
        }
        let since = emptySince ?? time
        emptySince = since
        if time - since >= patience { pods = [] }
        return (pods, "\(quoted(name)) has no addresses: there is no such name, or nothing behind it")
    }
}
