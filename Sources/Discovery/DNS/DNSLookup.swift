import Core

/// One look at a name: the pods that its addresses, or its services, are.
///
/// A pod that has addresses of both families is one pod: of each name, and of each target of a service, one family is used.
struct DNSLookup: Sendable {
    /// What it came to.
    struct Found: Sendable {
        var pods: [PodDescription] = []
        /// Seconds; nil where nothing was said.
        var lifetime: Int?
        /// Why some of it is not known; what was remembered of that is among the pods.
        var problem: DiscoveryError?
        /// Targets of services that have no addresses.
        var gone: Set<String> = []
        /// What a record says that cannot be used, in words.
        var mistake: String?

        mutating func ends(after lifetime: Int?) {
            guard let lifetime else { return }
            self.lifetime = min(self.lifetime ?? .max, lifetime)
        }

        mutating func add(_ other: Found) {
            pods += other.pods
            ends(after: other.lifetime)
            problem = problem ?? other.problem
            gone.formUnion(other.gone)
        }
    }

    let configuration: DNSConfiguration
    let resolver: DNSResolver

    /// Targets of services that are asked for at once. One whose name server is silent takes up to a minute.
    private static let concurrency = 16

    /// - Parameter remembered: The pods of the look before.
    /// - Throws: A ``DiscoveryError`` where nothing is known at all.
    func look(remembering remembered: [PodDescription]) async throws(DiscoveryError) -> Found {
        let found = try await configuration.isOfServices ? services(remembered) : addresses(remembered)
        if found.pods.isEmpty, let problem = found.problem { throw problem }
        return found
    }

    private func addresses(_ remembered: [PodDescription]) async throws(DiscoveryError) -> Found {
        guard let port = configuration.port else {
            throw DiscoveryError(
                .invalidConfiguration,
                "the addresses of \(quoted(configuration.name)) have no port: set DNS_PORT"
            )
        }
        return await addresses(of: configuration.name, [port], name: nil, remembered)
    }

    private func services(_ remembered: [PodDescription]) async throws(DiscoveryError) -> Found {
        let services = try await resolver.look(up: configuration.name, [.service])
        var found = Found()
        found.ends(after: services.lifetime)
        var ports: [String: Set<Int>] = [:]
        var portless: Set<String> = []
        for record in services.records {
            // The root as a target says that there is no such service.
            guard case .service(let port, let target) = record.content, !target.isEmpty else { continue }
            guard port > 0 else {
                portless.insert(target)
                continue
            }
            ports[target, default: []].insert(port)
        }
        // One that has a port too is used.
        portless.subtract(ports.keys)
        if let target = portless.min() {
            found.mistake =
                "\(quoted(target)), a target of \(quoted(configuration.name)), is not used: its record has the port 0"
        }
        var unknown: [String] = []
        for (target, ports) in ports {
            let added = services.additional.filter { $0.name == target }
            // The first family that there is.
            guard let family = configuration.family.types.first(where: { type in added.contains { $0.isOf(type) } })
            else {
                unknown.append(target)
                continue
            }
            for record in added where record.isOf(family) {
                found.pods += pods(record, ports, name: target)
                found.ends(after: record.lifetime)
            }
        }
        await withTaskGroup(of: Found.self) { group in
            for (index, target) in unknown.sorted().enumerated() {
                if index >= Self.concurrency, let other = await group.next() { found.add(other) }
                group.addTask { [ports = ports[target] ?? []] in
                    await addresses(of: target + ".", ports, name: target, remembered)
                }
            }
            for await other in group { found.add(other) }
        }
        return found
    }

    /// Those of one name, or what is remembered of them where no server knows.
    private func addresses(
        of host: String,
        _ ports: Set<Int>,
        name: String?,
        _ remembered: [PodDescription]
    ) async -> Found {
        let before = remembered.filter { $0.name == name }
        var found = Found()
        do throws(DiscoveryError) {
            let result = try await resolver.look(up: host, configuration.family.types)
            // That a server fails for one family, as some do for ever, says nothing of it: pods of it that are known stay, and do not become
            // others of the other family while their own cannot be asked for.
            let kept = before.filter { pod in result.failed.keys.contains { $0.isFamily(of: pod.host) } }
            if !kept.isEmpty {
                return Found(pods: kept, problem: result.failed.values.first)
            }
            found.pods = result.records.flatMap { pods($0, ports, name: name) }
            found.ends(after: result.lifetime)
            if found.pods.isEmpty, let name { found.gone = [name] }
        } catch {
            found.pods = before
            found.problem = error
        }
        return found
    }

    private func pods(_ record: DNSMessage.Record, _ ports: Set<Int>, name: String?) -> [PodDescription] {
        guard case .address(let text) = record.content else { return [] }
        return ports.map { PodDescription(scheme: configuration.scheme, host: text, port: $0, name: name) }
    }
}

extension DNSMessage.RecordType {
    /// Whether it is the one of an address's family.
    fileprivate func isFamily(of address: String) -> Bool {
        self == (address.contains(":") ? .address6 : .address)
    }
}

extension DNSConfiguration.Family {
    /// In the order in which they are tried; the first that a name has is used.
    fileprivate var types: [DNSMessage.RecordType] {
        switch self {
        case .auto: [.address, .address6]
        case .ipv4: [.address]
        case .ipv6: [.address6]
        }
    }
}
