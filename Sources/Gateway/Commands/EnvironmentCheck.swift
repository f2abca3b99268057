import Glibc
import Ingress
import Queue

/// Something that `check` found outside the configuration itself.
struct EnvironmentFinding: Hashable, Sendable {
    enum Kind: Sendable {
        case good
        /// `serve` would start, or could once what is in its way has ended.
        case warning
        /// `serve` would not start.
        case problem
    }

    var kind: Kind
    var message: String
}

/// Looks at files, ports and limits as `serve` would find them, and changes nothing.
struct EnvironmentCheck {
    let loaded: LoadedConfiguration
    var settings: GatewaySettings { loaded.settings }

    init(_ loaded: LoadedConfiguration) { self.loaded = loaded }

    func run() async -> [EnvironmentFinding] {
        var findings = [database, databaseSize].compactMap { $0 } + (await PodsCheck(loaded).run()) + [descriptors]
        if let path = settings.upstreamCAFile { findings.append(certificates(path)) }
        if let finding = adminCertificate { findings.append(finding) }
        for (key, host, port) in [
            ("gateway_port", settings.gatewayHost, settings.gatewayPort),
            ("admin_port", settings.adminHost, settings.adminPort),
        ] {
            findings.append(await listening(key, host, port))
        }
        return findings
    }

    private var database: EnvironmentFinding {
        let path = settings.databasePath
        var folder = path.contains("/") ? String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) : "."
        if folder.isEmpty { folder = "/" }
        if access(path, F_OK) == 0 {
            guard access(path, R_OK | W_OK) == 0 else {
                return problem("database_path: \(quoted(path)) cannot be read and written: \(errorText())")
            }
        }
        guard access(folder, W_OK | X_OK) == 0 else {
            return problem("database_path: the folder \(quoted(folder)) cannot be written to: \(errorText())")
        }
        return good("database_path: \(quoted(path)) \(access(path, F_OK) == 0 ? "is there" : "will be made")")
    }

    private var databaseSize: EnvironmentFinding? {
        let limit = settings.databaseMaxBytes
        guard let capacity = settings.queueConfiguration.diskCapacity, capacity < Int64(limit) else { return nil }
        let (wanted, there) = (ShownValue.bytes(limit), ShownValue.bytes(Int(capacity)))
        return EnvironmentFinding(
            kind: .warning,
            message: "database_max_bytes: \(wanted) is more than the disk can hold; the oldest rows go from \(there) on"
        )
    }

    private var descriptors: EnvironmentFinding {
        let limit = FileDescriptorLimit.hard
        let connections = settings.ingressConfiguration(descriptorLimit: limit).maxConnections
        guard connections < limit else {
            return EnvironmentFinding(
                kind: .warning,
                message: "max_connections: \(connections) is more than the \(limit) file descriptors of a process"
            )
        }
        return good("max_connections: \(connections) of \(limit) file descriptors")
    }

    private func certificates(_ path: String) -> EnvironmentFinding {
        do {
            guard try TextFile.read(path).contains("-----BEGIN CERTIFICATE-----") else {
                return problem("upstream_ca_file: there is no certificate (PEM) in \(quoted(path))")
            }
            return good("upstream_ca_file: \(quoted(path)) can be read")
        } catch {
            return problem("upstream_ca_file: \(error)")
        }
    }

    private var adminCertificate: EnvironmentFinding? {
        do throws(GatewayError) {
            return try settings.adminTLS().map { _ in
                good("admin_tls_cert_file: \(quoted(settings.adminTLSCertFile ?? "")) and its key can be used")
            }
        } catch {
            return problem("admin_tls_cert_file: \(error)")
        }
    }

    private func listening(_ key: String, _ host: String, _ port: Int) async -> EnvironmentFinding {
        switch await PortProbe.probe(host, port) {
        case .free: return good("\(key): \(host) port \(port) is free")
        case .inUse: return EnvironmentFinding(kind: .warning, message: "\(key): \(host) port \(port) is in use now")
        case .unusable(let why): return problem("\(key): \(host) port \(port) cannot be listened on: \(why)")
        }
    }

    private func good(_ message: String) -> EnvironmentFinding { .init(kind: .good, message: message) }
    private func problem(_ message: String) -> EnvironmentFinding { .init(kind: .problem, message: message) }
    private func errorText() -> String { String(cString: strerror(errno)) }
}
