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
        case .dns: return await dns()
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
            let own = loaded.settings.k8sNamespace == nil ? " (k8s_namespace is `own`)" : ""
            let place = "in \(configuration.place)\(own)"
            let source = "says the API server at \(access.url), asked with what \(access.origin) has"
            return Self.findings(
                used: used.count,
                skipped: skipped,
                selector: configuration.selector,
                place: place,
                source: source
            )
        } catch {
            return [EnvironmentFinding(kind: .warning, message: "discovery_mode kubernetes: \(error)")]
        }
    }

    /// - Parameters:
    ///   - used: How many pods can be used.
    ///   - place: Where they were looked for: `in the namespace tasks`.
    ///   - source: Who says so.
    static func findings(
        used: Int,
        skipped: [SkippedPod],
        selector: String,
        place: String,
        source: String
    ) -> [EnvironmentFinding] {
        let what =
            used == 0 && skipped.isEmpty
            ? "no pod \(place) matches \(selector)" : "pods \(place) that match \(selector) and can be used: \(used)"
        let found = EnvironmentFinding(
            kind: used == 0 ? .warning : .good,
            message: "k8s_label_selector: \(what), \(source)"
        )
        // Of pods that can be used, those that come and go are no news.
        let told =
            used == 0
            ? skipped.filter(\.isMistake) + skipped.filter { !$0.isMistake }.prefix(10) : skipped.filter(\.isMistake)
        return [found]
            + told.map { pod in
                let verb = pod.isMistake ? "cannot be used" : "is not used now"
                return EnvironmentFinding(kind: .warning, message: "the pod \(pod.id) \(verb): \(pod.reason)")
            }
    }

    private func dns() async -> [EnvironmentFinding] {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let findings: [EnvironmentFinding]
        do throws(DiscoveryError) {
            let discovery = DNSDiscovery(configuration: loaded.settings.dnsConfiguration, group: group)
            findings = Self.findings(try await discovery.lookOnce())
        } catch {
            findings = [EnvironmentFinding(kind: .warning, message: "dns_name: \(error)")]
        }
        try? await group.shutdownGracefully()
        return findings
    }

    /// - Parameter update: What a name came to: where a part of it is in trouble, the rest is used, and counts.
    static func findings(_ update: DiscoveryUpdate) -> [EnvironmentFinding] {
        let trouble = update.problem.map { EnvironmentFinding(kind: .warning, message: "dns_name: \($0)") }
        return [count(update.pods.count, "dns_name")] + [trouble].compactMap { $0 }
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
