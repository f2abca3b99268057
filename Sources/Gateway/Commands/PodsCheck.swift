import Core
import Discovery
import NIOCore
import NIOPosix
import Pods

/// Looks whether pods could be found, as `serve` would look for them.
struct PodsCheck {
    let loaded: LoadedConfiguration

    init(_ loaded: LoadedConfiguration) { self.loaded = loaded }

    func run() async -> [EnvironmentFinding] {
        let settings = loaded.settings
        switch settings.discoveryMode {
        case .static: return [Self.count(settings.staticBackends.count, "static_backends")]
        case .kubernetes: return await kubernetes()
        case .dns: return [await dns()]
        case .file: return [file(settings.discoveryFile ?? "")]
        }
    }

    /// Lists the pods of each namespace. An API server that refuses now does not keep `serve` from starting.
    private func kubernetes() async -> [EnvironmentFinding] {
        let configuration: KubernetesConfiguration
        let access: KubernetesAccess
        do throws(DiscoveryError) {
            configuration = try loaded.kubernetesConfiguration()
            access = try loaded.kubernetesLocation.resolve()
        } catch {
            return [EnvironmentFinding(kind: .problem, message: "discovery_mode kubernetes: \(error)")]
        }
        let curl = CurlClient()
        defer { curl.shutdown() }
        let client = KubernetesClient(client: curl, location: loaded.kubernetesLocation)
        do throws(DiscoveryError) {
            let (used, skipped) = try await KubernetesDiscovery.look(with: client, configuration)
            let source = "says the API server at \(access.url), asked with what \(access.origin) has"
            var findings = [
                EnvironmentFinding(
                    kind: used.isEmpty ? .warning : .good,
                    message:
                        "k8s_label_selector: \(used.count == 1 ? "1 pod" : "\(used.count) pods") can be used, \(source)"
                )
            ]
            findings += skipped.filter(\.isMistake).map {
                EnvironmentFinding(kind: .warning, message: "the pod \($0.id) cannot be used: \($0.reason)")
            }
            return findings
        } catch {
            return [EnvironmentFinding(kind: .warning, message: "discovery_mode kubernetes: \(error)")]
        }
    }

    private func dns() async -> EnvironmentFinding {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let finding: EnvironmentFinding
        do throws(DiscoveryError) {
            let discovery = DNSDiscovery(configuration: loaded.settings.dnsConfiguration, group: group)
            let update = try await discovery.lookOnce()
            finding =
                update.problem.map { EnvironmentFinding(kind: .warning, message: "dns_name: \($0)") }
                ?? Self.count(update.pods.count, "dns_name")
        } catch {
            finding = EnvironmentFinding(kind: .warning, message: "dns_name: \(error)")
        }
        try? await group.shutdownGracefully()
        return finding
    }

    /// A broken file does not keep `serve` from starting: it waits for a better one.
    private func file(_ path: String) -> EnvironmentFinding {
        do throws(DiscoveryError) {
            return Self.count(try PodList.parse(SmallFile.text(path), file: path).count, "discovery_file")
        } catch {
            return EnvironmentFinding(kind: .warning, message: "discovery_file: \(error)")
        }
    }

    private static func count(_ count: Int, _ key: String) -> EnvironmentFinding {
        guard count > 0 else {
            return EnvironmentFinding(
                kind: .warning,
                message: "\(key): no pods are named: every request waits until there are some"
            )
        }
        return EnvironmentFinding(kind: .good, message: "\(key): \(count) \(count == 1 ? "pod" : "pods")")
    }
}
