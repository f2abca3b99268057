import NIOPosix

@testable import Discovery

extension DNSResolver {
    /// Asks these servers, and keeps to the rest of a `resolv.conf`.
    static func asking(_ servers: [NameServer], _ text: String = "") -> DNSResolver {
        DNSResolver(client: DNSClient(group: MultiThreadedEventLoopGroup.singleton)) {
            var settings = ResolverSettings(text)
            settings.servers = servers.map { ResolverSettings.Server(host: "127.0.0.1", port: $0.port) }
            return settings
        }
    }
}
