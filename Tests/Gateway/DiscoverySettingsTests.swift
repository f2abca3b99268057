import Core
import Discovery
import Foundation
import Testing

@testable import Gateway

@Suite("The settings of finding pods")
struct DiscoverySettingsTests {
    @Test(
        "a mode without what it cannot do without is refused, and what that is told",
        arguments: [
            (["DISCOVERY_MODE": "kubernetes"], "kubernetes needs k8s_label_selector"),
            (["DISCOVERY_MODE": "dns"], "dns needs dns_name"),
            (["DISCOVERY_MODE": "dns", "DNS_NAME": "pods"], "dns needs dns_port"),
            (["DISCOVERY_MODE": "file"], "file needs discovery_file"),
            (
                ["DISCOVERY_MODE": "kubernetes", "K8S_LABEL_SELECTOR": "a", "K8S_CONTEXT": "c"],
                "k8s_context: \"c\" is the context of a kubeconfig, and there is no kubeconfig"
            ),
            (
                [
                    "DISCOVERY_MODE": "kubernetes", "K8S_LABEL_SELECTOR": "a", "K8S_CONTEXT": "c", "KUBECONFIG": "/k",
                    "K8S_API_URL": "http://127.0.0.1:8001",
                ],
                "k8s_context: \"c\" is the context of a kubeconfig, and k8s_api_url goes before the kubeconfig"
            ),
            (["DISCOVERY_MODE": "consul"], "accepted: one of static, kubernetes, dns, file"),
        ]
    )
    func missing(environment: [String: String], message: String) {
        let lines = refusal(environment: environment)
        #expect(lines.count == 1 && lines[0].contains(message), "\(lines)")
    }

    @Test(
        "values that cannot be are refused by name",
        arguments: [
            (
                ["K8S_LABEL_SELECTOR": "app in (a"],
                "k8s_label_selector: \"app in (a\" is not accepted (\"app in (a\": its bracket"
            ),
            (["K8S_NAMESPACE": "a,B"], "k8s_namespace: \"a,B\" is not accepted (\"B\" is no name of a namespace)"),
            (["K8S_NAMESPACE": "a,a"], "a is named twice"),
            (["K8S_PORT": "0"], "k8s_port: \"0\" is not accepted"),
            (["K8S_API_URL": "k8s:6443"], "k8s_api_url: \"k8s:6443\" is not accepted"),
            (["DNS_NAME": "a..b"], "dns_name: \"a..b\" is not accepted"),
            (["DNS_NAME": "10.0.0.1"], "(it is an address: for pods at addresses there is discovery_mode static"),
            (["DNS_NAME": "10.0.0.1."], "discovery_mode static"), (["DNS_NAME": "fd00::1"], "discovery_mode static"),
            (["DNS_NAME": "[fd00::1]"], "discovery_mode static"),
            (["DNS_SERVER": "ns.example"], "dns_server: \"ns.example\" is not accepted"),
            (["DNS_FAMILY": "both"], "accepted: one of auto, ipv4, ipv6"),
            (["DNS_REFRESH": "0.1"], "dns_refresh: \"0.1\" is not accepted"),
        ]
    )
    func refused(environment: [String: String], message: String) {
        let lines = refusal(environment: environment)
        #expect(lines.count == 1 && lines[0].contains(message), "\(lines)")
    }

    @Test("selectors and lists with commas come whole from flag, environment and file")
    func accepted() throws {
        let selector = "app in (a,b),!canary"
        for loaded in [
            try load(["--k8s-label-selector", selector, "--k8s-namespace=a,b"]),
            try load(environment: ["K8S_LABEL_SELECTOR": selector, "K8S_NAMESPACE": "a,b"]),
            try load(["--config=g"], files: ["g": "k8s_label_selector: \"\(selector)\"\nk8s_namespace: [a, b]"]),
        ] {
            #expect(loaded.settings.k8sLabelSelector == selector)
            #expect(loaded.settings.k8sNamespace == ["a", "b"])
        }
        #expect(try load(environment: ["K8S_NAMESPACE": "*"]).settings.k8sNamespace == [])
        #expect(try load(environment: ["DNS_SERVER": "[fd00::1]:5353"]).settings.dnsServer?.port == 5353)
        #expect(try load(environment: ["DNS_SERVER": "10.0.0.1"]).settings.dnsServer?.port == 53)
    }

    @Test("a mode by which nothing could be found does not start, and says why")
    func impossible() throws {
        let loaded = try load(environment: ["DISCOVERY_MODE": "kubernetes", "K8S_LABEL_SELECTOR": "app=a"])
        let error = #expect(throws: (any Error).self) { try loaded.kubernetesConfiguration() }
        #expect("\(try #require(error))".contains("set KUBECONFIG to a kubeconfig, or K8S_API_URL"))
        let inside = try load(environment: [
            "DISCOVERY_MODE": "kubernetes", "K8S_LABEL_SELECTOR": "app=a", "K8S_API_URL": "http://127.0.0.1:1",
            "HOSTNAME": "gateway-0", "POD_NAMESPACE": "ml", "K8S_PORT": "81",
        ])
        let configuration = try inside.kubernetesConfiguration()
        #expect(configuration.gateway.podName == "gateway-0" && configuration.gateway.namespace == "ml")
        #expect(configuration.namespaces == ["default"] && configuration.port == 81)
    }

    @Test("a certificate that is none in a kubeconfig is a mistake in the configuration, by its place")
    func certificates() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "kubeconfig-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let text = """
            current-context: main
            contexts: [{name: main, context: {cluster: c}}]
            clusters: [{name: c, cluster: {server: "https://127.0.0.1:1", certificate-authority-data: Q0E=}}]
            """
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let loaded = try load(environment: [
            "DISCOVERY_MODE": "kubernetes", "K8S_LABEL_SELECTOR": "app=a", "KUBECONFIG": path,
        ])
        let error = #expect(throws: DiscoveryError.self) { try loaded.kubernetesConfiguration() }
        let place = "certificate-authority-data of \(path), context main"
        #expect(error?.message == "there is no certificate (PEM) in \(place)")
    }

    @Test("check says where it looked, and where nothing can be used, why")
    func looked() {
        func messages(_ used: Int, _ skipped: [SkippedPod] = []) -> [String] {
            PodsCheck.findings(
                used: used,
                skipped: skipped,
                selector: "app=a",
                place: "in the namespace ml",
                source: "says x"
            )
            .map(\.message)
        }
        #expect(messages(0) == ["k8s_label_selector: no pod in the namespace ml matches app=a, says x"])
        let unready = SkippedPod(name: "a", namespace: "ml", reason: "it is not ready", isMistake: false)
        let counted = "k8s_label_selector: pods in the namespace ml that match app=a and can be used"
        #expect(messages(1, [unready]) == ["\(counted): 1, says x"])
        #expect(
            messages(0, [unready]) == ["\(counted): 0, says x", "the pod ml/a is not used now: it is not ready"]
        )
    }

    @Test("check tells how many pods a name has, also where a part of it is in trouble")
    func named() {
        let pods = [PodDescription(host: "10.0.0.1", port: 80)]
        let trouble = "\"b.test\" has no addresses"
        let findings = PodsCheck.findings(DiscoveryUpdate(pods: pods, problem: trouble))
        #expect(findings.map(\.message) == ["dns_name: 1 pod", "dns_name: \(trouble)"])
        #expect(findings.map(\.kind) == [.good, .warning])
        #expect(PodsCheck.findings(DiscoveryUpdate(pods: pods)).map(\.message) == ["dns_name: 1 pod"])
    }

    @Test("check tells how many pods a file lists, and a mistake in it as a warning")
    func checked() async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "pods-\(UUID().uuidString).yaml").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let loaded = try load(environment: ["DISCOVERY_MODE": "file", "DISCOVERY_FILE": path])
        for (text, kind, message) in [
            ("- http://a:1\n- http://b:1\n", EnvironmentFinding.Kind.good, "discovery_file: 2 pods"),
            ("[]", .warning, "discovery_file: no pods are named: every request waits until there are some"),
            ("- a:1", .warning, "discovery_file: \(path):1: \"a:1\" has no scheme"),
        ] {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            let findings = await PodsCheck(loaded).run()
            #expect(findings.count == 1 && findings[0].kind == kind)
            #expect(findings[0].message.hasPrefix(message), "\(findings)")
        }
    }
}
