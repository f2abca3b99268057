import Core
import Discovery
import Foundation
import Testing

/// Against a scripted API server.
@Suite("Pods by label, from an API server")
struct KubernetesDiscoveryTests {
    private static func names(_ update: DiscoveryUpdate?) -> [String] { update?.pods.compactMap(\.name) ?? [] }

    /// One that has every pod that it has to have.
    private static func has(_ names: String...) -> (DiscoveryUpdate) -> Bool {
        { update in
            #expect(Set(names.dropLast()).isSubset(of: Self.names(update)), "a pod was dropped")
            return Self.names(update) == names
        }
    }

    @Test("a pod is told with name, namespace, node, address and port")
    func described() async throws {
        let world = try await KubernetesWorld([APIPod("a", ip: "2001:db8::7").with { $0.ports = [("neutrino", 9000)] }])
        let updates = Updates(of: world.discovery)
        let expected = PodDescription(
            id: "a",
            host: "2001:db8::7",
            port: 9000,
            name: "a",
            namespace: "default",
            node: "node-1"
        )
        #expect(await updates.next()?.pods == [expected])
        _ = await updates.end()
        try await world.stop()
    }

    @Test("pods that are added, made unready, relabelled and deleted are followed one by one")
    func followed() async throws {
        let world = try await KubernetesWorld([APIPod("a"), APIPod("b")])
        let updates = Updates(of: world.discovery)
        #expect(Self.names(await updates.next()) == ["a", "b"])
        world.server.set(APIPod("c"))
        #expect(Self.names(await updates.next()) == ["a", "b", "c"])
        world.server.set(APIPod("b").with { $0.isReady = false })
        let unready = await updates.next()
        #expect(Self.names(unready) == ["a", "c"])
        #expect(unready?.skipped.map(\.id) == ["default/b"])
        #expect(unready?.skipped.first?.reason == "it is not ready" && unready?.skipped.first?.isMistake == false)
        world.server.set(APIPod("b"))
        #expect(Self.names(await updates.next()) == ["a", "b", "c"])
        // Out of the selection: a watch tells it as deleted (api-concepts).
        world.server.remove("c")
        #expect(Self.names(await updates.next()) == ["a", "b"])
        world.server.set(APIPod("a").with { $0.isDeleted = true })
        let deleted = await updates.next()
        #expect(Self.names(deleted) == ["b"])
        #expect(deleted?.skipped.first?.reason == "it is being deleted")
        world.server.remove("a")
        #expect(await updates.next()?.skipped == [])
        _ = await updates.end()
        try await world.stop()
    }

    @Test("what is asked: the selector, percent-encoded, pages, bookmarks, a bounded watch from the list's version")
    func requests() async throws {
        let world = try await KubernetesWorld([APIPod("a")])
        let updates = Updates(of: world.discovery)
        var requests = world.server.requests.makeAsyncIterator()
        let path = "/api/v1/namespaces/default/pods?"
        let selector = "labelSelector=app%20in%20%28pods%2C%20more%29"
        #expect(await requests.next()?.target == "\(path)\(selector)&limit=200")
        let watch = "\(path)watch=true&allowWatchBookmarks=true&timeoutSeconds=30&\(selector)&resourceVersion="
        #expect(await requests.next()?.target == "\(watch)2")
        // At its end it goes on from where it was, and a bookmark moves that.
        world.server.say(#"{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"77"}}}"#)
        world.server.endWatches()
        #expect(await requests.next()?.target == "\(watch)77")
        _ = await updates.end()
        try await world.stop()
    }

    @Test("410 as an event or as a status lists again, and no pod is dropped meanwhile", arguments: [true, false])
    func gone(asEvent: Bool) async throws {
        let world = try await KubernetesWorld([APIPod("a"), APIPod("b")])
        let updates = Updates(of: world.discovery)
        #expect(Self.names(await updates.next()) == ["a", "b"])
        if asEvent {
            await world.server.watched()
            world.server.setUnheard(APIPod("c"))
            world.server.compact()
            // The next watch begins at a version that is forgotten by now.
            world.server.endWatches()
        } else {
            world.server.begin(.watchStatus(410, "too old resource version"))
            world.server.endWatches()
            var requests = world.server.requests.makeAsyncIterator()
            // A list, the watch, the one that is refused.
            for _ in 0..<3 { _ = await requests.next() }
            world.server.set(APIPod("c"))
            world.server.endTrouble()
        }
        let update = await updates.first(where: Self.has("a", "b", "c"))
        #expect(update?.problem == nil)
        _ = await updates.end()
        try await world.stop()
    }

    @Test("a watch that goes silent is noticed, and what was missed is found")
    func silent() async throws {
        let world = try await KubernetesWorld([APIPod("a")]) { $0.silenceSeconds = 1 }
        world.server.begin(.silence)
        let updates = Updates(of: world.discovery)
        #expect(Self.names(await updates.next()) == ["a"])
        world.server.setUnheard(APIPod("b"))
        let update = await updates.first(where: Self.has("a", "b"))
        #expect(update?.problem == nil)
        _ = await updates.end()
        try await world.stop()
    }

    @Test("while the API server is away the pods stay, and it is told; when it is back all is known again")
    func restart() async throws {
        let world = try await KubernetesWorld([APIPod("a")])
        let updates = Updates(of: world.discovery)
        #expect(Self.names(await updates.next()) == ["a"])
        try await world.server.stop()
        let away = await updates.first { $0.problem != nil }
        #expect(Self.names(away) == ["a"])
        #expect(away?.problem?.contains("the API server at \(world.server.url) cannot be reached") == true)
        world.server.setUnheard(APIPod("b"))
        try await world.server.start()
        let back = await updates.first(where: Self.has("a", "b"))
        #expect(back?.problem == nil)
        world.server.set(APIPod("c"))
        _ = await updates.first(where: Self.has("a", "b", "c"))
        _ = await updates.end()
        try await world.stop()
    }

    @Test("a connection that breaks between two events is no trouble to tell of")
    func broken() async throws {
        let world = try await KubernetesWorld([APIPod("a")])
        let updates = Updates(of: world.discovery)
        #expect(Self.names(await updates.next()) == ["a"])
        await world.server.watched()
        world.server.setUnheard(APIPod("b"))
        world.server.cut()
        let update = await updates.first { update in
            #expect(update.problem == nil)
            return Self.names(update) == ["a", "b"]
        }
        #expect(update != nil)
        _ = await updates.end()
        try await world.stop()
    }

    @Test("500 pods come in pages; pages that are forgotten meanwhile are asked for again", arguments: [false, true])
    func pages(forgetful: Bool) async throws {
        let pods = (0..<500).map { APIPod("pod-\($0)", ip: "10.0.\($0 / 250).\($0 % 250)") }
        let world = try await KubernetesWorld(pods)
        if forgetful { world.server.begin(.forgetsPages) }
        let updates = Updates(of: world.discovery)
        let first = await updates.next()
        #expect(first?.pods.count == 500)
        #expect(Set(first?.pods.map(\.host) ?? []).count == 500)
        #expect(first?.problem == nil)
        var requests = world.server.requests.makeAsyncIterator()
        let expected = forgetful ? ["", "200", "", "200", "400"] : ["", "200", "400"]
        for page in expected {
            let target = await requests.next()?.target ?? ""
            #expect(page.isEmpty ? !target.contains("continue") : target.hasSuffix("&continue=\(page)"), "\(target)")
        }
        world.server.set(APIPod("pod-500"))
        #expect(await updates.first { $0.pods.count == 501 } != nil)
        _ = await updates.end()
        try await world.stop()
    }

    @Test(
        "a list that does not end is no list, and is told",
        arguments: [(true, "a page is followed by itself"), (false, "it has more than 5 pages")]
    )
    func endless(isCircle: Bool, message: String) async throws {
        let world = try await KubernetesWorld([APIPod("a")]) { $0.pages = 5 }
        world.server.begin(.endlessPages(isCircle: isCircle))
        let updates = Updates(of: world.discovery)
        let update = await updates.next()
        #expect(update?.problem == "the API server's list does not end: \(message)")
        world.server.endTrouble()
        #expect(await updates.first { $0.problem == nil && Self.names($0) == ["a"] } != nil)
        _ = await updates.end()
        try await world.stop()
    }

    @Test("a list that is over its bound is told with what to do")
    func tooLarge() async throws {
        let world = try await KubernetesWorld([APIPod("a")]) { $0.pageBytes = 100 }
        let error = await #expect(throws: DiscoveryError.self) { try await world.look() }
        let words = "the answer of the API server at \(world.server.url) is over 100 bytes"
        #expect(error?.message == "\(words): choose a narrower K8S_LABEL_SELECTOR")
        #expect(error?.code == .invalidAnswer)
        try await world.stop()
    }

    @Test("of what an API server says only so much is told, and on one line")
    func endlessWords() async throws {
        let world = try await KubernetesWorld()
        world.server.begin(.status(500, #"a\nb\u001b[2J\u202e"# + String(repeating: "x", count: 5_000)))
        let updates = Updates(of: world.discovery)
        let problem = try #require(await updates.next()?.problem)
        #expect(problem.contains("answered: a?b?[2J?xxx") && problem.hasSuffix("x… (500)"))
        #expect(problem.count < 400)
        _ = await updates.end()
        try await world.stop()
    }

    @Test(
        "what no API server says is told in words, once, and costs no pod",
        arguments: [
            ("<html>Bad gateway</html>", "is not JSON but \"<html>Bad gateway</html>\""),
            (#"{"kind":"PodList","items":"#, "is not JSON"),
            (#"{"kind":"Status","status":"Success"}"#, "has no items"),
            ("[]", "has no items"),
            ("", "is not JSON"),
        ]
    )
    func nonsense(body: String, message: String) async throws {
        let world = try await KubernetesWorld([APIPod("a")])
        let updates = Updates(of: world.discovery)
        #expect(Self.names(await updates.next()) == ["a"])
        world.server.begin(.body(body))
        world.server.cut()
        let update = await updates.first { $0.problem != nil }
        #expect(Self.names(update) == ["a"])
        #expect(update?.problem?.contains(message) == true, "\(update?.problem ?? "")")
        world.server.endTrouble()
        #expect(await updates.first { $0.problem == nil && Self.names($0) == ["a"] } != nil)
        _ = await updates.end()
        try await world.stop()
    }

    @Test(
        "an event that cannot be understood costs no pod, and the watch goes on or begins again",
        arguments: [
            "garbage", #"{"type":"ADDED"}"#, #"{"object":{}}"#,
            #"{"type":"ADDED","object":{"kind":"Pod","metadata":{"na"#,
            #"{"type":"MUTATED","object":{"kind":"Pod","metadata":{"name":"a"}}}"#,
            #"{"type":"ADDED","object":{"apiVersion":"v2","kind":"Capsule","metadata":{"name":"a"}}}"#,
            #"{"type":"DELETED","object":{"kind":"Pod","metadata":{}}}"#,
            #"{"type":"MODIFIED","object":{"kind":"Pod","metadata":{"name":"a"},"spec":7,"status":[1]}}"#,
            #"{"type":"MODIFIED","object":{"kind":"Pod","metadata":{"name":"a"},"status":{"conditions":"Ready"}}}"#,
            #"{"type":"ERROR","object":{"kind":"Status","code":500,"message":"etcd is away"}}"#,
            String(repeating: "[", count: 50_000),
            #"{"type":"ADDED","object":""# + String(repeating: "x", count: 70_000),
        ]
    )
    func strange(line: String) async throws {
        let world = try await KubernetesWorld([APIPod("a")]) { $0.eventBytes = 60_000 }
        let updates = Updates(of: world.discovery)
        #expect(Self.names(await updates.next()) == ["a"])
        await world.server.watched()
        world.server.say(line)
        world.server.set(APIPod("b"))
        let update = await updates.first(where: Self.has("a", "b"))
        #expect(update != nil)
        _ = await updates.end()
        try await world.stop()
    }

    @Test("a refusal is told in the API server's words", arguments: [401, 403, 404, 500])
    func refused(status: Int) async throws {
        let words = "pods is forbidden: User cannot list resource pods in the namespace default"
        let world = try await KubernetesWorld([APIPod("a")])
        world.server.begin(.status(status, words))
        let updates = Updates(of: world.discovery)
        let update = await updates.next()
        #expect(update?.pods.isEmpty == true)
        #expect(update?.problem?.contains("\(words) (\(status))") == true, "\(update?.problem ?? "")")
        _ = await updates.end()
        try await world.stop()
    }

    @Test("where only the watch is forbidden, it is told, and pods are followed by lists")
    func unwatched() async throws {
        let world = try await KubernetesWorld([APIPod("a")])
        world.server.begin(.watchStatus(403, "cannot watch resource pods"))
        let updates = Updates(of: world.discovery)
        let told = await updates.first { $0.problem != nil }
        #expect(Self.names(told) == ["a"] && told?.problem?.contains("cannot watch resource pods (403)") == true)
        world.server.setUnheard(APIPod("b"))
        let update = await updates.first { Self.names($0) == ["a", "b"] }
        #expect(update?.problem?.contains("cannot watch") == true)
        _ = await updates.end()
        try await world.stop()
    }

    @Test("a selector that matches nothing, and pods that are all unready, are told apart")
    func nothing() async throws {
        let world = try await KubernetesWorld()
        let updates = Updates(of: world.discovery)
        #expect(await updates.next()?.problem == "no pod in the namespace default matches app in (pods, more)")
        world.server.set(APIPod("a").with { $0.isReady = false })
        let unready = await updates.first { $0.problem == nil }
        #expect(unready?.pods.isEmpty == true && unready?.skipped.count == 1)
        _ = await updates.end()
        try await world.stop()
    }

    @Test(
        "several namespaces are asked each, all by one call; ids have the namespace in them",
        arguments: [["one", "two"], []]
    )
    func namespaces(names: [String]) async throws {
        let pods = ["one", "two", "three"].map { name in
            APIPod("a", ip: "10.0.0.\(name.utf8.count + Int(name.utf8.first!))").with { $0.namespace = name }
        }
        let world = try await KubernetesWorld(pods, namespaces: names)
        let updates = Updates(of: world.discovery)
        let expected = names.isEmpty ? ["one/a", "three/a", "two/a"] : ["one/a", "two/a"]
        #expect(await updates.next()?.pods.map(\.id) == expected)
        world.server.remove("a", namespace: "two")
        #expect(await updates.first { $0.pods.map(\.id) == expected.dropLast() } != nil)
        _ = await updates.end()
        try await world.stop()
    }

    @Test("the gateway's own pods are left out: itself, those with the same controller, those with its label")
    func gateways() async throws {
        let pods = [
            APIPod("gateway-0").with { $0.controller = "set-1" }, APIPod("gateway-1").with { $0.controller = "set-1" },
            APIPod("other").with { $0.labels["app.kubernetes.io/name"] = "neutrino-gateway" },
            APIPod("task").with { $0.controller = "set-2" },
        ]
        let world = try await KubernetesWorld(
            pods,
            gateway: GatewayIdentity(podName: "gateway-0", namespace: "default")
        )
        let updates = Updates(of: world.discovery)
        let update = await updates.next()
        #expect(Self.names(update) == ["task"])
        #expect(update?.skipped.map(\.reason) == ["it is a gateway", "it is a gateway", "it is a gateway"])
        #expect(update?.skipped.contains(where: \.isMistake) == false)
        _ = await updates.end()
        try await world.stop()
    }
}
