import NIOCore

/// Looks names up as the C library does, and tells how long an answer holds, which it does not.
struct DNSResolver: Sendable {
    /// What a lookup came to.
    struct Result: Sendable {
        /// Empty where the name does not exist, or has nothing of this kind.
        var records: [DNSMessage.Record] = []
        /// Added by the server: addresses of what services are at.
        var additional: [DNSMessage.Record] = []
        /// Seconds; nil where nothing was said.
        var lifetime: Int?
        /// Kinds that no server could tell of, where one could of another.
        var failed: [DNSMessage.RecordType: DiscoveryError] = [:]
    }

    let client: DNSClient
    /// Of `/etc/resolv.conf`, or in place of it.
    let settings: @Sendable () -> ResolverSettings

    /// Aliases that are followed, one after the other.
    private static let maximumAliases = 8

    /// Tries the domains of the search list in their order, each for all kinds, and stops at the first name that has any of them, as the C
    /// library's `getaddrinfo` does. A name for which servers fail does not hide those after it.
    /// - Parameter types: Of these, the first that there is.
    /// - Throws: A ``DiscoveryError`` where no name has any, and of one no server knows: something else than that there is nothing.
    func look(up name: String, _ types: [DNSMessage.RecordType]) async throws(DiscoveryError) -> Result {
        let settings = settings()
        var nothing = Result()
        var problem: DiscoveryError?
        for candidate in settings.candidates(for: name) {
            var failed: [DNSMessage.RecordType: DiscoveryError] = [:]
            for type in types {
                do throws(DiscoveryError) {
                    var result = try await follow(candidate, type, settings)
                    result.failed = failed
                    if !result.records.isEmpty { return result }
                    if let lifetime = result.lifetime { nothing.lifetime = min(nothing.lifetime ?? .max, lifetime) }
                } catch {
                    failed[type] = error
                    problem = problem ?? error
                }
            }
        }
        if let problem { throw problem }
        return nothing
    }

    /// One name, and what it is an alias of.
    private func follow(
        _ name: String,
        _ type: DNSMessage.RecordType,
        _ settings: ResolverSettings
    ) async throws(DiscoveryError) -> Result {
        var name = name.lowercased()
        var lifetime = Int.max
        for _ in 0...Self.maximumAliases {
            let answer = try await ask(name, type, settings)
            guard answer.code == 0 else { return Result(lifetime: answer.negativeLifetime) }
            let asked = name
            // The answer may hold the whole chain.
            for _ in 0..<Self.maximumAliases {
                guard let alias = answer.records.first(where: { $0.name == name && $0.alias != nil }) else { break }
                lifetime = min(lifetime, alias.lifetime)
                name = alias.alias!
            }
            let found = answer.records.filter { $0.name == name && $0.alias == nil && $0.isOf(type) }
            if !found.isEmpty {
                lifetime = min(lifetime, found.map(\.lifetime).min()!)
                return Result(records: found, additional: answer.records.filter { $0.name != name }, lifetime: lifetime)
            }
            if name == asked { return Result(lifetime: answer.negativeLifetime) }
        }
        throw DiscoveryError(
            .invalidAnswer,
            "\(quoted(name)) is an alias of an alias, more than \(Self.maximumAliases) times"
        )
    }

    /// Each server in turn, as often as it may be asked.
    private func ask(
        _ name: String,
        _ type: DNSMessage.RecordType,
        _ settings: ResolverSettings
    ) async throws(DiscoveryError) -> DNSMessage.Answer {
        var problem = DiscoveryError(.unreachable, "there is no name server")
        for _ in 0..<settings.attempts {
            for server in settings.servers {
                guard !Task.isCancelled else { throw problem }
                do throws(DiscoveryError) {
                    let answer = try await client.ask(
                        name,
                        type,
                        of: server,
                        timeout: .seconds(Int64(settings.timeout))
                    )
                    if answer.code == 0 || answer.code == 3 { return answer }
                    problem = DiscoveryError(
                        .refused,
                        "the name server \(server) answered \(Self.word(answer.code)) for \(quoted(name))"
                    )
                } catch {
                    problem = error
                }
            }
        }
        throw problem
    }

    /// RFC 1035 §4.1.1.
    private static func word(_ code: Int) -> String {
        switch code {
        case 1: "FORMERR (it cannot read the question)"
        case 2: "SERVFAIL (it failed)"
        case 4: "NOTIMP (it does not know such questions)"
        case 5: "REFUSED (it does not want to)"
        default: "with the code \(code)"
        }
    }
}

extension DNSMessage.Record {
    fileprivate var alias: String? {
        guard case .alias(let target) = content else { return nil }
        return target
    }

    func isOf(_ type: DNSMessage.RecordType) -> Bool {
        switch (content, type) {
        case (.address(let text), .address): !text.contains(":")
        case (.address(let text), .address6): text.contains(":")
        case (.service, .service), (.alias, .alias): true
        default: false
        }
    }
}
