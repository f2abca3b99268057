import ArgumentParser
import Foundation
import Pods

/// The options of every command that talks to a gateway.
struct AdminOptions: ParsableArguments {
    static let standardURL = gatewayURL(GatewaySettings().adminHost, GatewaySettings().adminPort)

    @Option(
        name: .customLong("admin-url"),
        help: ArgumentHelp(
            "The gateway's operators' listener; several, separated by commas, are shown together. [ADMIN_URL] (default: \(standardURL), or where ADMIN_HOST and ADMIN_PORT say)",
            valueName: "URL,…"
        )
    )
    var url: String?

    @Option(
        name: .customLong("admin-token-file"),
        help: ArgumentHelp(
            "A file with the token. [ADMIN_TOKEN_FILE, or the token itself in ADMIN_TOKEN]",
            valueName: "FILE"
        ),
        completion: .file()
    )
    var tokenFile: String?

    @Option(
        name: .customLong("ca-file"),
        help: ArgumentHelp(
            "Certificates (PEM) to verify an https gateway against, in place of the machine's. [ADMIN_CA_FILE]",
            valueName: "FILE"
        ),
        completion: .file()
    )
    var caFile: String?

    @Flag(name: .long, help: "Print what the API answers, as JSON; of several gateways a line each, with its URL.")
    var json = false

    /// The gateways to talk to.
    /// - Throws: ``GatewayError`` that names the option, its value and what would be accepted.
    func fleet(
        environment: [String: String] = ProcessInfo.processInfo.environment,
        http: CurlClient = CurlClient()
    ) throws -> AdminFleet {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let urls = try (url ?? value("ADMIN_URL") ?? Self.ownURL(value)).split(separator: ",").map(\.trimmed).filter {
            !$0.isEmpty
        }
        var token = value("ADMIN_TOKEN")
        if let path = tokenFile ?? value("ADMIN_TOKEN_FILE") {
            // The file may be the gateway's own, which may hold several: any of them will do.
            do {
                token = try SettingType.tokens.parse(try TextFile.read(path)).first
            } catch let rejection as SettingRejection {
                throw GatewayError(.usage, "no token in \(quoted(path)): \(rejection.detail ?? "")")
            } catch let error as GatewayError {
                throw GatewayError(.usage, error.message)
            }
            guard token != nil else { throw GatewayError(.usage, "no token in \(quoted(path)): the file is empty") }
        }
        let gateways = try urls.map { text in
            guard let base = Self.base(text) else {
                throw GatewayError(.usage, "\(quoted(text)) is no URL of a gateway; \(Self.standardURL) would be one")
            }
            return AdminClient(url: base, token: token, caFile: caFile ?? value("ADMIN_CA_FILE"), http: http)
        }
        guard !gateways.isEmpty, Set(gateways.map(\.url)).count == gateways.count else {
            throw GatewayError(.usage, "--admin-url names no gateway, or one twice")
        }
        return AdminFleet(gateways: gateways)
    }

    /// Of a gateway with this environment on this machine: in a container commands have the one that `serve` has.
    private static func ownURL(_ value: (String) -> String?) throws(GatewayError) -> String {
        let standard = GatewaySettings()
        /// As `serve` reads it.
        func setting<Value>(
            _ key: String,
            _ type: SettingType<Value>,
            _ standard: Value
        ) throws(GatewayError) -> Value {
            guard let text = value(key.uppercased()) else { return standard }
            do throws(SettingRejection) {
                return try type.parse(text)
            } catch {
                let why = error.detail ?? "accepted: \(type.accepted)"
                throw GatewayError(.usage, "\(key): \(quoted(text)): \(why); or name the gateway with --admin-url")
            }
        }
        let host = try setting("admin_host", .host, standard.adminHost)
        let port = try setting("admin_port", .port, standard.adminPort)
        guard port > 0 else {
            throw GatewayError(.usage, "admin_port: \"0\" is any that is free; name the gateway with --admin-url")
        }
        // Where it listens at all addresses it does so at the loopback's.
        let reached = ["0.0.0.0": "127.0.0.1", "::": "::1"][host] ?? host
        return gatewayURL(reached, port, scheme: value("ADMIN_TLS_CERT_FILE") == nil ? "http" : "https")
    }

    private static func gatewayURL(_ host: String, _ port: Int, scheme: String = "http") -> String {
        "\(scheme)://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }

    /// A URL without what comes after host and port (people paste the page's); `host:port` means http. nil where it is no such thing, or
    /// carries a secret.
    static func base(_ text: String) -> String? {
        let text = text.contains("://") ? text : "http://\(text)"
        guard let url = URLComponents(string: text), let scheme = url.scheme?.lowercased(),
            scheme == "http" || scheme == "https",
            let host = url.host, !host.isEmpty, url.user == nil, url.password == nil
        else { return nil }
        return "\(scheme)://\(host)\(url.port.map { ":\($0)" } ?? "")"
    }
}

/// `--watch`, of commands whose answer changes.
struct WatchOptions: ParsableArguments {
    @Option(
        name: .long,
        defaultAsFlag: 2.0,
        parsing: .next,
        help: ArgumentHelp("Show it again and again, every so many seconds (2).", valueName: "SECONDS")
    )
    var watch: Double?

    func validate() throws {
        if let watch, !(0.1...3600).contains(watch) {
            throw ValidationError("--watch \(watch) is not accepted; 0.1 to 3600 seconds are")
        }
    }
}
