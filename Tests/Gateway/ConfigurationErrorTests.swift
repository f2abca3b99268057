import Core
import Ingress
import Testing

@testable import Gateway

@Suite("Configuration that is refused")
struct ConfigurationErrorTests {
    @Test(
        "A value that is not accepted is told with its key, its place and what is accepted",
        arguments: [
            (
                "GATEWAY_PORT", "99999",
                "gateway_port: \"99999\" is not accepted (from environment GATEWAY_PORT); accepted: a port from 0 to 65535 (0: any that is free)"
            ),
            (
                "GATEWAY_PORT", "tcp://10.0.0.1:80",
                "gateway_port: \"tcp://10.0.0.1:80\" is not accepted (Kubernetes sets such a variable for a Service of this name: give the pod `enableServiceLinks: false`) (from environment GATEWAY_PORT); accepted: a port from 0 to 65535 (0: any that is free)"
            ),
            (
                "HOLD_TIMEOUT", "-1",
                "hold_timeout: \"-1\" is not accepted (from environment HOLD_TIMEOUT); accepted: seconds, or a number with ms, s, m, h or d; from 0 to 24h"
            ),
            (
                "PLACEMENT", "random",
                "placement: \"random\" is not accepted (from environment PLACEMENT); accepted: one of least_utilized, best_fit, round_robin"
            ),
            (
                "STATIC_BACKENDS", "http://a:1,ftp://b",
                "static_backends: \"http://a:1,ftp://b\" is not accepted (\"ftp://b\" has the scheme \"ftp\"; http or https is accepted) (from environment STATIC_BACKENDS); accepted: http://host:port or https://host:port, separated by commas, each once"
            ),
            (
                "TRUSTED_PROXIES", "10.0.0.0/8,10.0.0.0/33",
                "trusted_proxies: \"10.0.0.0/8,10.0.0.0/33\" is not accepted (\"10.0.0.0/33\": the prefix length is not from 0 to 32) (from environment TRUSTED_PROXIES); accepted: addresses or ranges such as 10.0.0.0/8 or fd00::/8, separated by commas, at most 256"
            ),
            (
                "DEFAULT_RESOURCES", "cpus=1, gpu=1",
                "default_resources: \"cpus=1, gpu=1\" is not accepted (\"gpu=1\" is not cpus=, gpus= or memory_gb= with a number) (from environment DEFAULT_RESOURCES); accepted: `cpus=1, gpus=0, memory_gb=1`: each at most once, from 0 to 1000000, fractions allowed"
            ),
            (
                "DATABASE_PATH", "a\nb",
                "database_path: \"a\\nb\" is not accepted (it has control characters) (from environment DATABASE_PATH); accepted: a path"
            ),
        ]
    )
    func value(_ name: String, _ value: String, _ message: String) {
        #expect(refusal(environment: [name: value]) == ["configuration: \(message)"])
    }

    @Test("A secret that is not accepted is not told")
    func secret() {
        let lines = refusal(environment: ["ADMIN_TOKEN": "hunter2"])
        #expect(
            lines == [
                "configuration: admin_token: the value is not accepted (7 bytes) (from environment ADMIN_TOKEN); accepted: 16 to 4096 visible ASCII characters; several on a line each, at most 100"
            ]
        )
        #expect(
            refusal(environment: ["ADMIN_TOKEN_FILE": "t"], files: ["t": "hunter2\n"]).joined().contains("hunter2")
                == false
        )
    }

    @Test("No flag takes a secret")
    func secretFlag() {
        #expect(
            refusal(["--admin-token", "0123456789abcdef"]) == [
                "configuration: \"--admin-token\": no flag takes a secret; use the environment variable ADMIN_TOKEN, or a file"
            ]
        )
    }

    @Test("A key that is no text is told, however much it stands for")
    func keys() {
        var ladder = "a0: &a0 [a]\n"
        for level in 1...60 { ladder += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
        let lines = refusal(["--config", "g.yaml"], files: ["g.yaml": ladder + "*a60 : x\n"])
        #expect(lines == ["configuration: a key that is not text (from file:g.yaml:62)"])
    }

    @Test("All problems are told at once")
    func all() {
        let lines = refusal(
            ["--gateway-prot", "1", "--admin-port", "x", "--config", "g.yaml", "stray"],
            environment: ["LOG_LEVEL": "loud"],
            files: ["g.yaml": "hold_timout: 3\nmax_body_bytes: huge\n"]
        )
        #expect(lines.count == 7)
        #expect(lines.first == "configuration: 6 problems")
        #expect(lines.contains { $0.contains("unknown flag \"--gateway-prot\"; did you mean --gateway-port?") })
        #expect(lines.contains { $0.contains("unexpected argument \"stray\"") })
        #expect(
            lines.contains {
                $0.contains("unknown key \"hold_timout\"; did you mean hold_timeout? (from file:g.yaml:1)")
            }
        )
        #expect(lines.contains { $0.contains("admin_port: \"x\" is not accepted (from flag --admin-port)") })
        #expect(lines.contains { $0.contains("log_level: \"loud\" is not accepted (from environment LOG_LEVEL)") })
        #expect(lines.contains { $0.contains("max_body_bytes: \"huge\" is not accepted (from file:g.yaml:2)") })
    }

    @Test("Flags need one value each, once")
    func flags() {
        #expect(
            refusal(["--gateway-port"]) == [
                "configuration: --gateway-port needs a value; accepted: a port from 0 to 65535 (0: any that is free)"
            ]
        )
        #expect(refusal(["--gateway-port", "--admin-port", "1"]).joined().contains("--gateway-port needs a value"))
        #expect(refusal(["--node-id=1", "--node-id=2"]) == ["configuration: --node-id is given twice"])
        #expect(
            refusal(["--node-id", "-1"]).joined().contains("node_id: \"-1\" is not accepted (from flag --node-id)")
        )
        #expect(
            refusal(["--config", "nowhere.yaml"]) == [
                "configuration: --config: cannot read \"nowhere.yaml\": no such file"
            ]
        )
    }

    @Test("What is not YAML, or not a mapping, is told with its place")
    func notYAML() {
        #expect(fileRefusal("a: [1").hasPrefix("configuration: not YAML: "))
        #expect(
            fileRefusal("- a\n- b") == "configuration: the file is not a mapping of keys to values (from file:g.yaml:1)"
        )
        #expect(fileRefusal("node_id: 1\nnode_id: 2").hasPrefix("configuration: not YAML: "))
        #expect(
            fileRefusal("hold_timeout: {a: 1}").contains(
                "hold_timeout: a value is expected here, or a list of values (from file:g.yaml:1)"
            )
        )
        #expect(fileRefusal("GATEWAY_PORT: 1").contains("unknown key \"GATEWAY_PORT\"; did you mean gateway_port?"))
    }

    @Test("Values that do not go together are refused")
    func together() {
        #expect(
            refusal(["--admin-host", "0.0.0.0"]).joined().contains(
                "admin_host: \"0.0.0.0\" is not loopback and there is no token"
            )
        )
        #expect(refusal(["--admin-port", "8080"]).joined().contains("admin_port: 8080 is gateway_port too"))
        #expect(
            refusal(["--max-body-bytes", "2GiB"]).joined().contains(
                "max_body_bytes: 2GiB is more than max_queue_bytes, 1GiB"
            )
        )
        let both = ["ADMIN_TOKEN": "0123456789abcdef", "ADMIN_TOKEN_FILE": "t"]
        #expect(
            refusal(environment: both).joined().contains("there is also admin_token (from environment ADMIN_TOKEN)")
        )
        let same = ["ADMIN_TOKEN": "0123456789abcdef", "ADMIN_READ_TOKEN": "0123456789abcdef"]
        #expect(refusal(environment: same).joined().contains("admin_read_token: it is the same as admin_token"))
        let scraper = ["ADMIN_TOKEN": "0123456789abcdef", "METRICS_TOKEN_FILE": "t"]
        #expect(
            refusal(environment: scraper, files: ["t": "0123456789abcdef"]).joined().contains(
                "metrics_token_file: it is"
            )
        )
        #expect(
            refusal(["--admin-tls-cert-file", "c"]).joined().contains(
                "admin_tls_cert_file: there is no admin_tls_key_file (from flag --admin-tls-cert-file)"
            )
        )
    }
}

@Suite("Routes of the configuration file")
struct RouteRuleTests {
    @Test("A route says what its requests need, how long they wait and when they are repeated")
    func read() throws {
        let yaml = """
            routes:
              - method: post
                path: /v1/train/{model}
                needs: {num_cpus: 0.5, num_gpus: 1, memory_gb: 16}
                hold_timeout: 90s
                request_timeout: 600
                retry: idempotency-key
                max_concurrency: 4
              - {method: "*", path: /v1/any, needs: {num_gpus: 0}}
              - {path: /}
            """
        let routes = try load(["--config=g"], files: ["g": yaml]).routes
        #expect(routes.count == 3)
        #expect(routes[0].method == "POST")
        #expect(routes[0].path == "/v1/train/{model}")
        #expect(routes[0].cpus == 0.5 && routes[0].gpus == 1 && routes[0].memoryGB == 16)
        #expect(routes[0].holdTimeout == .seconds(90))
        #expect(routes[0].requestTimeout == .seconds(600))
        #expect(routes[0].retry == .idempotencyKey)
        #expect(routes[0].maxConcurrency == 4)
        #expect(routes[1].method == nil && routes[1].gpus == 0 && routes[1].cpus == nil)
        #expect(routes[2].holdTimeout == nil && routes[2].retry == nil && routes[2].maxConcurrency == nil)
    }

    @Test(
        "A route that is wrong is told with its index, its field and its line",
        arguments: [
            (
                "routes: 3",
                "routes: a list is expected (from file:g.yaml:1); accepted: - {method: POST, path: /v1/train, …}"
            ),
            (
                "routes: [3]",
                "routes[0]: a mapping is expected (from file:g.yaml:1); accepted: method, path, needs, hold_timeout, request_timeout, retry, max_concurrency, max_queue_depth"
            ),
            (
                "routes:\n- {path: /a}\n- {method: GET}",
                "routes[1].path: it is missing (from file:g.yaml:3); accepted: a path such as /v1/infer/{model}"
            ),
            (
                "routes: [{path: a}]",
                "routes[0].path: \"a\" is not accepted (from file:g.yaml:1); accepted: a path such as /v1/infer/{model}, without a query"
            ),
            (
                "routes: [{path: /a, methd: GET}]",
                "routes[0].methd: unknown field; did you mean method? (from file:g.yaml:1)"
            ),
            (
                "routes: [{path: /a, method: FETCH}]",
                "routes[0].method: \"FETCH\" is not accepted (from file:g.yaml:1); accepted: an HTTP method such as GET or POST, or `*` for every method"
            ),
            (
                "routes: [{path: /a, needs: {gpus: 1}}]",
                "routes[0].needs.gpus: unknown field; did you mean num_gpus? (from file:g.yaml:1)"
            ),
            (
                "routes:\n- path: /a\n  needs:\n    num_gpus: -1",
                "routes[0].needs.num_gpus: \"-1\" is not accepted (from file:g.yaml:4); accepted: a number from 0 to 1000000, fractions allowed"
            ),
            (
                "routes: [{path: /a, hold_timeout: soon}]",
                "routes[0].hold_timeout: \"soon\" is not accepted (from file:g.yaml:1); accepted: seconds, or a number with ms, s, m, h or d; from 0 to 24h"
            ),
            (
                "routes: [{path: /a, max_concurrency: 0}]",
                "routes[0].max_concurrency: \"0\" is not accepted (from file:g.yaml:1); accepted: a whole number from 1 to 1000000"
            ),
            (
                "routes: [{path: /a, retry: maybe}]",
                "routes[0].retry: \"maybe\" is not accepted (from file:g.yaml:1); accepted: one of idempotent, always, idempotency-key, never"
            ),
            ("routes: [{path: /a}, {path: /a}]", "routes[1]: * /a is there twice (from file:g.yaml:1)"),
        ]
    )
    func refused(_ yaml: String, _ message: String) {
        #expect(fileRefusal(yaml) == "configuration: \(message)")
    }
}
