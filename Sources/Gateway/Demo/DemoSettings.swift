import Glibc

/// The demo's own defaults: what was not given is chosen so that it starts anywhere and leaves nothing behind.
struct DemoSettings {
    /// What the gateway runs with.
    var loaded: LoadedConfiguration
    /// Made for this run, and removed after it.
    var temporaryFolder: String?

    /// - Parameters:
    ///   - given: What the user gave.
    ///   - isFree: Whether a port can be listened on.
    init(_ given: LoadedConfiguration, isFree: (_ host: String, _ port: Int) async -> Bool) async throws(GatewayError) {
        loaded = given
        // It brings its own pods, or takes those of a list.
        loaded.settings.discoveryMode = .static
        if given.isDefault("gateway_host") { loaded.settings.gatewayHost = "127.0.0.1" }
        if given.isDefault("gateway_port") {
            loaded.settings.gatewayPort = await Self.firstFree(from: 8080, loaded.settings.gatewayHost, isFree)
        }
        if given.isDefault("admin_port") {
            loaded.settings.adminPort = await Self.firstFree(from: 9090, loaded.settings.adminHost, isFree)
        }
        if given.isDefault("capacity_update_interval") { loaded.settings.capacityUpdateInterval = .seconds(1) }
        if given.isDefault("database_path") {
            let folder = try Self.makeFolder()
            temporaryFolder = folder
            loaded.settings.databasePath = "\(folder)/neutrino.db"
        }
    }

    /// The next of ten ports that is free; any that is, where none of them is.
    private static func firstFree(
        from port: Int,
        _ host: String,
        _ isFree: (String, Int) async -> Bool
    ) async -> Int {
        for candidate in port..<(port + 10) where await isFree(host, candidate) { return candidate }
        return 0
    }

    private static func makeFolder() throws(GatewayError) -> String {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/neutrino-demo-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw GatewayError(
                .storage,
                "no temporary folder can be made in \(quoted(parent)): \(String(cString: strerror(errno)))"
            )
        }
        return template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }
}

extension LoadedConfiguration {
    /// Whether nobody gave this key.
    func isDefault(_ key: String) -> Bool { origin(key) == .default }
}
