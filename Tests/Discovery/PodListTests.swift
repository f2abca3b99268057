import Core
import Discovery
import Testing

@Suite("The file of pods")
struct PodListTests {
    @Test("YAML: URLs, mappings and Prometheus' groups beside each other")
    func yaml() throws {
        let pods = try PodList.parse(
            """
            # pods by hand
            - http://10.0.0.1:8080
            - {url: "https://10.0.0.2", name: trainer, namespace: ml, node: n7, drain: true}
            - targets: ["10.0.0.3:9000", "[2001:db8::1]:9000", "https://10.0.0.4"]
              labels: {job: pods, __scheme__: http}
            """,
            file: "pods.yaml"
        )
        #expect(
            pods == [
                PodDescription(host: "10.0.0.1", port: 8080),
                PodDescription(
                    scheme: .https,
                    host: "10.0.0.2",
                    port: 443,
                    name: "trainer",
                    namespace: "ml",
                    node: "n7",
                    isDraining: true
                ),
                PodDescription(host: "10.0.0.3", port: 9000),
                PodDescription(host: "2001:db8::1", port: 9000),
                PodDescription(scheme: .https, host: "10.0.0.4", port: 443),
            ]
        )
    }

    @Test("JSON, as programs write it for Prometheus")
    func json() throws {
        let pods = try PodList.parse(
            #"[{"targets":["10.0.0.3:9000"],"labels":{"__scheme__":"https","team":"ml"}},{"url":"http://a:1"}]"#,
            file: "pods.json"
        )
        #expect(pods.map(\.url) == ["https://10.0.0.3:9000", "http://a:1"])
    }

    @Test(
        "a mistake is told with its line, and nothing of the file is used",
        arguments: [
            ("", "it is empty: write `[]` for none"), ("# none\n\n  # yet\n", "it is empty: write `[]` for none"),
            ("pods: []", "a list of pods is expected"),
            ("- http://a:1\n- 10.0.0.1:8080", "pods.yaml:2: \"10.0.0.1:8080\" has no scheme"),
            ("- http://a:1\n- {name: b}", "pods.yaml:2: a mapping without `url`"),
            ("- {url: \"http://a:1\", nmae: b}", "unknown key \"nmae\""),
            ("- {url: \"http://a:1\", drain: maybe}", "drain: true or false is expected; there is maybe"),
            ("- {url: [\"http://a:1\"]}", "url: a text"),
            ("- {targets: \"a:1\"}", "`targets` is a list of host:port"),
            ("- {targets: [\"a:1\"], lables: {}}", "unknown key \"lables\""),
            ("- http://a:1\n- http://a:1", "pods.yaml:2: http://a:1 is there twice"),
            ("- ~", "a URL is expected"),
            ("- [http://a:1", "pods.yaml: line"),
        ]
    )
    func refused(text: String, message: String) {
        let error = #expect(throws: DiscoveryError.self) { try PodList.parse(text, file: "pods.yaml") }
        #expect(error?.code == .invalidFile)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "nothing")")
    }

    @Test("a file that is not there, or that is too large, is told by its path")
    func unreadable() async throws {
        let world = try FileWorld([])
        try world.stop()
        let updates = Updates(of: world.discovery)
        let missing = await updates.next()
        #expect(missing?.problem == "\(world.path) cannot be read: No such file or directory")
        try world.write(String(repeating: "#", count: SmallFile.maximumBytes + 1))
        let large = await updates.next()
        #expect(large?.problem?.contains("is larger than") == true)
        _ = await updates.end()
        try world.stop()
    }
}
