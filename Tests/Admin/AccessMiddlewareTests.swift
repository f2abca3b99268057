import Core
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import Testing

@testable import Admin

private let full = "full-0123456789abcdef"
private let read = "read-0123456789abcdef"

/// The listener's door with a call behind it that tells whom it was served for.
private struct Door {
    let respond: @Sendable (Request, AdminContext) async throws -> Response

    init(_ tokens: AdminTokens, proxies: [String] = []) {
        let gate = AdminGate(tokens)
        let router = Router(context: AdminContext.self)
        router.addMiddleware {
            SecurityHeaders()
            ProblemMiddleware()
            AccessMiddleware(
                gate: gate,
                callers: CallerRule(trustedProxies: proxies.compactMap { AddressBlock($0) }),
                hosts: HostRule(allowed: ["ops.example"])
            )
        }
        SessionCalls(gate: gate, version: "1", logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }).add(
            to: router
        )
        for path in ["/health", "/metrics", "/admin", "/admin/assets/page.js"] {
            router.get("\(path)") { _, _ in Response(status: .ok) }
        }
        for method in [HTTPRequest.Method.get, .post, .patch, .delete] {
            router.on("/admin/api/queue", method: method) { request, context in
                if method != .get { _ = try await JSON.body([String: Int].self, of: request, context: context) }
                let who = "\(context.role) \(context.admission.by) \(context.caller.address)"
                return Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(string: who)))
            }
        }
        let responder = router.buildResponder()
        respond = { try await responder.respond(to: $0, context: $1) }
    }

    struct Answer {
        var status: Int
        var fields: HTTPFields
        var text: String
    }

    func ask(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ fields: HTTPFields = [:],
        host: String? = "localhost:9090",
        body: String = "",
        peer: String = "192.0.2.1"
    ) async throws -> Answer {
        let head = HTTPRequest(method: method, scheme: nil, authority: host, path: path, headerFields: fields)
        let context = AdminContext(
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            peer: try SocketAddress(ipAddress: peer, port: 1)
        )
        let response = try await respond(
            Request(head: head, body: RequestBody(buffer: ByteBuffer(string: body))),
            context
        )
        let collector = Collector()
        try await response.body.write(collector)
        return Answer(status: response.status.code, fields: response.headers, text: String(buffer: collector.bytes))
    }
}

private final class Collector: ResponseBodyWriter {
    var bytes = ByteBuffer()
    func write(_ buffer: ByteBuffer) async throws {
        var buffer = buffer
        bytes.writeBuffer(&buffer)
    }
    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

private func bearer(_ token: String) -> HTTPFields { [.authorization: "Bearer \(token)"] }

@Suite("The door of the operators' listener")
struct AccessMiddlewareTests {
    private let door = Door(AdminTokens(full: [full], read: [read]))

    @Test("with a token set every call without it is 401, also those that do not exist, however they are spelled")
    func unauthorized() async throws {
        for path in [
            "/admin/api/queue", "/admin/api/nothing", "/nothing", "/admin/api/queue/", "//admin/api/queue",
            "/Admin",
            "/admin/assets", "/health/", "/metrics/", "/admin/login/", "/admin/api/session/x", "/%68ealth",
        ] {
            for method in [HTTPRequest.Method.get, .post, .delete] {
                let answer = try await door.ask(method, path)
                #expect(answer.status == 401, "\(method) \(path)")
                #expect(answer.fields[.wwwAuthenticate]?.hasPrefix("Bearer") == true)
                #expect(answer.fields[.contentType] == "application/problem+json")
            }
        }
    }

    @Test("what holds no data is open")
    func open() async throws {
        for path in ["/health", "/metrics", "/admin", "/admin/assets/page.js", "/admin/api/session"] {
            #expect(try await door.ask(.get, path).status == 200, "\(path)")
        }
        #expect(try await door.ask(.get, "/health", host: "evil.example").status == 200)
        #expect(try await door.ask(.get, "/metrics", host: nil).status == 200)
    }

    @Test("tokens do what they may, and calls learn of whom")
    func roles() async throws {
        #expect(try await door.ask(.get, "/admin/api/queue", bearer(full)).text == "full admin 192.0.2.1")
        #expect(try await door.ask(.post, "/admin/api/queue", bearer(full)).text == "full admin 192.0.2.1")
        #expect(try await door.ask(.get, "/admin/api/queue", bearer(read)).text == "read read 192.0.2.1")
        #expect(try await door.ask(.post, "/admin/api/queue", bearer(read)).status == 403)
        #expect(try await door.ask(.get, "/admin/api/queue", [.authorization: "bearer   \(full)"]).status == 200)
        #expect(try await door.ask(.get, "/admin/api/queue", [.authorization: "Basic \(full)"]).status == 401)
    }

    @Test("a wrong Host is refused on every call, before anything else is looked at")
    func hosts() async throws {
        for path in ["/admin/api/queue", "/admin", "/admin/api/session", "/admin/assets/page.js"] {
            for host in ["evil.example", "ops.example.evil.example", "10.0.0.1:9090", nil] {
                #expect(try await door.ask(.get, path, bearer(full), host: host).status == 421, "\(path)")
            }
            #expect(try await door.ask(.get, path, bearer(full), host: "OPS.example:443").status == 200)
        }
    }

    @Test("a wrong Origin on a change is refused: with a token, with a login, on loopback without any")
    func origins() async throws {
        let open = Door(AdminTokens())
        for (door, fields) in [(door, bearer(full)), (open, HTTPFields())] {
            var fields = fields
            for origin in ["http://evil.example", "http://localhost:8080", "null"] {
                fields[.origin] = origin
                let answer = try await door.ask(.post, "/admin/api/queue", fields)
                #expect(answer.status == 403)
                #expect(answer.text.contains("origin_not_allowed"))
            }
            fields[.origin] = "http://localhost:9090"
            #expect(try await door.ask(.post, "/admin/api/queue", fields).status == 200)
            fields[.origin] = nil
            #expect(try await door.ask(.post, "/admin/api/queue", fields).status == 200)
        }
        let login: HTTPFields = [.contentType: "application/json", .origin: "http://evil.example"]
        #expect(try await door.ask(.post, "/admin/login", login, body: "{\"token\":\"\(full)\"}").status == 403)
    }

    @Test("a login's cookie serves for the token, from our page only, and ends with the logout")
    func login() async throws {
        let type: HTTPFields = [.contentType: "application/json; charset=utf-8"]
        let answer = try await door.ask(.post, "/admin/login", type, body: "{\"token\":\"\(full)\"}")
        #expect(answer.status == 204)
        let cookie = try #require(answer.fields[.setCookie])
        let pair = String(cookie.prefix { $0 != ";" })
        #expect(
            cookie == "\(pair); Path=/admin; Max-Age=43200; HttpOnly; SameSite=Strict"
                && pair.hasPrefix("neutrino_session=")
        )
        #expect(!answer.text.contains(full))

        let shown: HTTPFields = [.cookie: "a=b; \(pair)"]
        #expect(try await door.ask(.get, "/admin/api/queue", shown).text == "full session 192.0.2.1")
        let session = try await door.ask(.get, "/admin/api/session", shown)
        #expect(session.text.contains("\"by\":\"session\"") && session.text.contains("\"login_required\":true"))
        #expect(session.text.contains("\"role\":\"full\"") && session.text.contains("\"version\":\"1\""))

        // No page says that it wanted it; then ours does; then a form that any page could send.
        #expect(try await door.ask(.post, "/admin/api/queue", shown).status == 403)
        var ours = shown
        ours[.origin] = "http://localhost:9090"
        #expect(try await door.ask(.post, "/admin/api/queue", ours).status == 200)
        #expect(try await door.ask(.post, "/admin/api/queue", ours, body: "{}").status == 415)
        ours[.contentType] = "application/json"
        #expect(try await door.ask(.post, "/admin/api/queue", ours, body: "{}").status == 200)

        let gone = try await door.ask(.post, "/admin/logout", ours)
        #expect(gone.status == 204)
        #expect(gone.fields[.setCookie]?.contains("Max-Age=0") == true)
        #expect(try await door.ask(.get, "/admin/api/queue", shown).status == 401)
        #expect(try await door.ask(.get, "/admin/api/session", shown).text.contains("\"role\":\"none\""))
    }

    @Test("a body over what a call takes is refused as too large, with a token and without")
    func tooLarge() async throws {
        let type: HTTPFields = [.contentType: "application/json"]
        let login = try await door.ask(
            .post,
            "/admin/login",
            type,
            body: "{\"token\":\"\(String(repeating: "x", count: 20_000))\"}"
        )
        #expect(login.status == 413 && login.text.contains("the body is over 16384 bytes"))
        let call = try await door.ask(
            .post,
            "/admin/api/queue",
            bearer(full),
            body: "{\(String(repeating: " ", count: 1 << 20))}"
        )
        #expect(call.status == 413 && call.text.contains("content_too_large"))
        #expect(call.text.contains("the body is over 1048576 bytes"))
    }

    @Test("a wrong token is refused wherever one is looked at, and the document says so")
    func documented() async throws {
        let calls = [(HTTPRequest.Method.get, "/admin/api/session"), (.post, "/admin/logout")]
        for (method, path) in calls {
            #expect(try await door.ask(method, path, bearer("wrong")).status == 401)
            let call = try #require(AdminDocument.calls.first { $0.method == method && $0.path == path })
            #expect(call.problems.contains(401), "\(path)")
        }
        let login = try #require(AdminDocument.calls.first { $0.path == "/admin/login" })
        #expect(login.answers.map(\.status) == [204, 303])
    }

    @Test("a form logs in as well, and shows the page next")
    func form() async throws {
        let type: HTTPFields = [.contentType: "application/x-www-form-urlencoded"]
        let answer = try await door.ask(.post, "/admin/login", type, body: "token=\(full)")
        #expect(answer.status == 303)
        #expect(answer.fields[.location] == "/admin")
        #expect(answer.fields[.setCookie] != nil)
        #expect(try await door.ask(.post, "/admin/login", type, body: "other=1").status == 400)
        #expect(try await door.ask(.post, "/admin/login", type, body: "token").status == 400)
        let spelled = full.replacing("-", with: "%2D")
        #expect(try await door.ask(.post, "/admin/login", type, body: "=&a&=b&token=\(spelled)&token=x").status == 303)
        #expect(try await door.ask(.post, "/admin/login", [.contentType: "text/plain"], body: full).status == 415)
        #expect(try await door.ask(.post, "/admin/login", [.contentType: "application/json"], body: "{}").status == 400)
    }

    @Test("behind TLS of a proxy of ours the cookie is Secure, and its failures are its client's own")
    func proxies() async throws {
        let door = Door(AdminTokens(full: [full]), proxies: ["192.0.2.1"])
        func login(_ token: String, _ client: String) async throws -> Door.Answer {
            let fields: HTTPFields = [
                .contentType: "application/json", .xForwardedFor: client, .xForwardedProto: "https",
                .xForwardedHost: "ops.example", .origin: "https://ops.example",
            ]
            return try await door.ask(.post, "/admin/login", fields, body: "{\"token\":\"\(token)\"}")
        }
        #expect(try await login(full, "203.0.113.1").fields[.setCookie]?.hasSuffix("; Secure") == true)
        for _ in 0..<5 { #expect(try await login("wrong", "203.0.113.1").status == 401) }
        let answer = try await login(full, "203.0.113.1")
        #expect(answer.status == 429)
        #expect((1...60).contains(answer.fields[.retryAfter].flatMap { Int($0) } ?? 0))
        #expect(try await login(full, "203.0.113.2").status == 204)
    }

    @Test("metrics ask for their token where one is set")
    func metrics() async throws {
        let door = Door(AdminTokens(full: [full], metrics: ["scraper-0123456789abcdef"]))
        #expect(try await door.ask(.get, "/metrics").status == 401)
        #expect(try await door.ask(.get, "/metrics", bearer("wrong")).status == 401)
        #expect(
            try await door.ask(.get, "/metrics", bearer("scraper-0123456789abcdef"), host: "evil.example").status == 200
        )
        #expect(try await door.ask(.get, "/admin/api/queue", bearer("scraper-0123456789abcdef")).status == 401)
    }

    @Test(
        "every answer tells browsers what they may do with it",
        arguments: ["/admin", "/health", "/admin/api/session", "/admin/api/queue", "/nothing"]
    )
    func securityHeaders(path: String) async throws {
        let fields = try await door.ask(.get, path).fields
        #expect(fields[.contentSecurityPolicy]?.hasPrefix("default-src 'none'; script-src 'self';") == true)
        #expect(fields[.contentSecurityPolicy]?.contains("unsafe") == false)
        #expect(fields[.xContentTypeOptions] == "nosniff")
        #expect(fields[.xFrameOptions] == "DENY")
        #expect(fields[.referrerPolicy] == "same-origin")
        #expect(fields[.crossOriginResourcePolicy] == "same-origin")
        #expect(fields[.cacheControl] == "no-store")
        #expect(fields[.accessControlAllowOrigin] == nil)
    }
}
