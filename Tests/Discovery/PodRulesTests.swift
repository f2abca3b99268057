import Core
import OpenAPI
import Testing

@testable import Discovery

@Suite("Which pods get requests, and on which port")
struct PodRulesTests {
    /// To a pod that is well.
    struct Change: Sendable {
        let make: @Sendable (inout APIPod) -> Void

        init(_ make: @escaping @Sendable (inout APIPod) -> Void) { self.make = make }
    }

    private static func judge(_ pod: APIPod, port: Int? = nil) throws -> (used: PodDescription?, skipped: SkippedPod?) {
        var configuration = KubernetesConfiguration(namespaces: ["default"], selector: "app=pods", port: port)
        configuration.gateway = GatewayIdentity(podName: "gateway-0", namespace: "default")
        let object = try #require(KubernetesPod(try DocumentNode.json(pod.json())))
        let (used, skipped) = PodRules(configuration).sort([object])
        return (used.first, skipped.first)
    }

    @Test(
        "the port: annotation, K8S_PORT, the one named neutrino, http, the only one",
        arguments: [
            // ports of the container, of a sidecar, of an init container; annotation; K8S_PORT; what is chosen
            ([("http", 80), ("neutrino", 81)], [], [], "82", 83, 82),
            ([("http", 80), ("neutrino", 81)], [], [], "http", 83, 80),
            ([("http", 80), ("neutrino", 81)], [], [], nil, 83, 83),
            ([("http", 80), ("neutrino", 81)], [], [], nil, nil, 81),
            ([("http", 80)], [("neutrino", 81)], [], nil, nil, 81),
            ([("http", 80), ("metrics", 81)], [], [], nil, nil, 80),
            ([("http", 80)], [("metrics", 81)], [("neutrino", 82)], nil, nil, 80),
            ([(nil, 80)], [], [], nil, nil, 80),
            ([], [("metrics", 81)], [], nil, nil, 81),
            ([("a", 80), ("b", 80)], [], [], nil, nil, 80),
            ([], [], [], nil, 83, 83),
        ] as [([(String?, Int)], [(String?, Int)], [(String?, Int)], String?, Int?, Int)]
    )
    func port(
        ports: [(String?, Int)],
        sidecar: [(String?, Int)],
        initial: [(String?, Int)],
        annotation: String?,
        setting: Int?,
        expected: Int
    ) throws {
        let pod = APIPod("a").with {
            $0.ports = ports.map { ($0.0, $0.1) }
            $0.sidecarPorts = sidecar.map { ($0.0, $0.1) }
            $0.initPorts = initial.map { ($0.0, $0.1) }
            $0.annotations["neutrino.dev/port"] = annotation
        }
        let (used, skipped) = try Self.judge(pod, port: setting)
        #expect(used?.port == expected, "\(skipped?.reason ?? "")")
    }

    @Test("scheme and drain are what the annotations say")
    func annotations() throws {
        let pod = APIPod("a").with {
            $0.annotations = ["neutrino.dev/scheme": "https", "neutrino.dev/drain": "true"]
        }
        let used = try Self.judge(pod).used
        #expect(used?.scheme == .https && used?.isDraining == true)
        #expect(
            try Self.judge(APIPod("a").with { $0.annotations["neutrino.dev/drain"] = "false" }).used?.isDraining
                == false
        )
    }

    @Test(
        "a mistake is told, not guessed around, also before the pod runs",
        arguments: [
            (Change { $0.ports = [] }, "none of its containers names a TCP port"),
            (
                Change { $0.annotations["neutrino.dev/port"] = "+41900" },
                "its annotation neutrino.dev/port is \"+41900\""
            ),
            (Change { $0.ports = [("a", 1), ("b", 2)] }, "it has the ports 1, 2: name one of them `neutrino`"),
            (
                Change {
                    $0.ports = [("neutrino", 1)]
                    $0.sidecarPorts = [("neutrino", 2)]
                }, "it has 2 ports named \"neutrino\""
            ),
            (Change { $0.annotations["neutrino.dev/port"] = "0" }, "its annotation neutrino.dev/port is \"0\""),
            (Change { $0.annotations["neutrino.dev/port"] = "web" }, "its annotation neutrino.dev/port is \"web\""),
            (
                Change { $0.annotations["neutrino.dev/scheme"] = "h2" },
                "its annotation neutrino.dev/scheme is \"h2\"; http or https"
            ),
            (
                Change { $0.annotations["neutrino.dev/drain"] = "yes" },
                "its annotation neutrino.dev/drain is \"yes\"; true or false"
            ),
            (
                Change {
                    $0.phase = "Pending"
                    $0.ports = []
                }, "none of its containers names a TCP port"
            ),
            (Change { $0.ip = nil }, "it is ready and has no IP address"),
            (Change { $0.ip = "10.0.0.300" }, "its IP address is \"10.0.0.300\", which is none"),
        ] as [(Change, String)]
    )
    func mistakes(change: Change, reason: String) throws {
        let (used, skipped) = try Self.judge(APIPod("a").with(change.make))
        #expect(used == nil && skipped?.isMistake == true)
        #expect(skipped?.reason.hasPrefix(reason) == true, "\(skipped?.reason ?? "nothing")")
    }

    @Test(
        "what passes by itself is no mistake",
        arguments: [
            (Change { $0.isReady = false }, "it is not ready"),
            (
                Change {
                    $0.phase = "Pending"
                    $0.ip = nil
                    $0.isReady = false
                }, "it does not run: Pending"
            ),
            (
                Change {
                    $0.phase = "Succeeded"
                    $0.isReady = false
                }, "it has ended: Succeeded"
            ),
            (
                Change {
                    $0.phase = "Failed"
                    $0.ports = []
                }, "it has ended: Failed"
            ),
            (Change { $0.isDeleted = true }, "it is being deleted"),
            (Change { $0.name = "gateway-0" }, "it is a gateway"),
        ] as [(Change, String)]
    )
    func passing(change: Change, reason: String) throws {
        let (used, skipped) = try Self.judge(APIPod("a").with(change.make))
        #expect(used == nil && skipped?.isMistake == false)
        #expect(skipped?.reason == reason)
    }

    @Test("of two pods at one address and port the newer one is used, and the other is a mistake, however they come")
    func onePlace() throws {
        let rules = PodRules(KubernetesConfiguration(namespaces: ["default"], selector: "app=pods"))
        let pods = [
            APIPod("a", ip: "10.0.0.1").with { $0.created = "2026-11-25T10:00:00Z" },
            APIPod("b", ip: "10.0.0.1").with { $0.created = "2026-11-25T10:00:01Z" },
            APIPod("c", ip: "10.0.0.1").with { $0.created = "2026-11-25T10:00:01Z" },
            APIPod("d", ip: "10.0.0.1").with { $0.ports = [("http", 8081)] },
            // It does not answer there.
            APIPod("e", ip: "10.0.0.1").with {
                $0.created = "2026-11-25T11:00:00Z"
                $0.isReady = false
            },
        ]
        for pods in [pods, pods.reversed()] {
            let (used, skipped) = rules.sort(
                try pods.map { try #require(KubernetesPod(try DocumentNode.json($0.json()))) }
            )
            #expect(used.map(\.id) == ["b", "d"])
            #expect(skipped.map(\.name) == ["a", "c", "e"] && skipped.map(\.isMistake) == [true, true, false])
            let reason = "it has the address and the port of default/b, 10.0.0.1:8080: with hostNetwork"
            #expect(skipped.first?.reason.hasPrefix(reason) == true)
        }
    }

    @Test("a pod of this name elsewhere is no gateway")
    func elsewhere() throws {
        #expect(try Self.judge(APIPod("gateway-0").with { $0.namespace = "other" }).used != nil)
    }
}
