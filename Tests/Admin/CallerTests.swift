import Core
import HTTPTypes
import NIOCore
import Testing

@testable import Admin

@Suite("Where a request comes from, and from which page")
struct CallerTests {
    private func head(
        _ fields: HTTPFields,
        authority: String? = "ops.example",
        method: HTTPRequest.Method = .post
    )
        -> HTTPRequest
    {
        HTTPRequest(method: method, scheme: nil, authority: authority, path: "/", headerFields: fields)
    }

    private func peer(_ address: String) throws -> SocketAddress { try SocketAddress(ipAddress: address, port: 1) }

    @Test("what proxies of ours say counts, and what others say does not")
    func proxies() throws {
        let rule = CallerRule(trustedProxies: [try #require(AddressBlock("10.0.0.0/8"))])
        let said: HTTPFields = [
            .xForwardedFor: "6.6.6.6, 203.0.113.9", .xForwardedProto: "https",
            .xForwardedHost: "evil.example, ops.example:8443",
        ]
        let trusted = rule.caller(of: head(said, authority: "127.0.0.1:9090"), peer: try peer("10.1.2.3"))
        #expect(trusted.address == "203.0.113.9")
        #expect(trusted.isSecure)
        #expect(trusted.authority == "ops.example:8443")
        #expect(trusted.names == ["127.0.0.1:9090", "ops.example:8443"])

        let other = rule.caller(of: head(said, authority: "127.0.0.1:9090"), peer: try peer("203.0.113.1"))
        #expect(
            other
                == Caller(
                    address: "203.0.113.1",
                    isSecure: false,
                    authority: "127.0.0.1:9090",
                    names: ["127.0.0.1:9090"]
                )
        )
    }

    @Test("a proxy that says nothing changes nothing, and TLS of our own is seen without one")
    func silent() throws {
        let rule = CallerRule(trustedProxies: [try #require(AddressBlock("10.0.0.0/8"))], hasTLS: true)
        let caller = rule.caller(of: head([:]), peer: try peer("::ffff:10.0.0.1"))
        #expect(caller == Caller(address: "10.0.0.1", isSecure: true, authority: "ops.example", names: ["ops.example"]))
    }

    @Test("every name that a request gives must be one of ours")
    func names() {
        let rule = HostRule(allowed: ["ops.example"])
        func isRefused(_ names: [String]) -> Bool {
            rule.refusal(of: Caller(authority: names.last, names: names)) != nil
        }
        #expect(!isRefused(["127.0.0.1:9090", "ops.example"]))
        #expect(isRefused(["127.0.0.1:9090", "evil.example"]))
        #expect(isRefused(["evil.example", "ops.example"]))
        #expect(isRefused([]))
    }

    @Test(
        "an origin is ours by host and port, with the scheme's own port where it names none",
        arguments: [
            ("http://127.0.0.1:9090", "127.0.0.1:9090", false), ("http://localhost", "localhost", false),
            ("http://localhost:80", "localhost", false), ("https://ops.example", "ops.example", false),
            ("https://ops.example", "ops.example:443", true), ("HTTPS://OPS.example", "ops.example", true),
            ("http://[::1]:9090", "[::1]:9090", false),
        ]
    )
    func own(origin: String, authority: String, isSecure: Bool) {
        #expect(OriginRule.isOwn(origin, Caller(isSecure: isSecure, authority: authority)))
    }

    @Test(
        "every other origin is not: another host, another port, no TLS where there is TLS, none at all",
        arguments: [
            ("http://evil.example", "ops.example", false), ("http://ops.example:8080", "ops.example:9090", false),
            ("http://ops.example.evil.example", "ops.example", false),
            ("http://ops.example:9090", "ops.example:9090", true),
            ("null", "ops.example", false), ("", "ops.example", false), ("ops.example", "ops.example", false),
            ("file://", "ops.example", false), ("ftp://ops.example", "ops.example", false),
            ("http://evil@ops.example", "ops.example", false), ("http://ops.example/", "ops.example", false),
        ]
    )
    func foreign(origin: String, authority: String, isSecure: Bool) {
        #expect(!OriginRule.isOwn(origin, Caller(isSecure: isSecure, authority: authority)))
    }

    @Test("a change from a page of another origin is refused, whatever it is served for")
    func changes() {
        let caller = Caller(authority: "ops.example")
        func isRefused(_ fields: HTTPFields, _ method: HTTPRequest.Method, cookie: Bool) -> Bool {
            OriginRule.refusal(head(fields, method: method), caller, isCookieUsed: cookie) != nil
        }
        for method in [HTTPRequest.Method.post, .patch, .put, .delete] {
            for cookie in [false, true] {
                #expect(isRefused([.origin: "http://evil.example"], method, cookie: cookie))
                #expect(isRefused([.origin: "null"], method, cookie: cookie))
                #expect(isRefused([.secFetchSite: "cross-site"], method, cookie: cookie))
                #expect(isRefused([.origin: "http://ops.example", .secFetchSite: "same-site"], method, cookie: cookie))
                #expect(!isRefused([.origin: "http://ops.example"], method, cookie: cookie))
                #expect(!isRefused([.secFetchSite: "same-origin"], method, cookie: cookie))
            }
            // A program, or a cookie that no browser sent.
            #expect(!isRefused([:], method, cookie: false))
            #expect(isRefused([:], method, cookie: true))
        }
        #expect(!isRefused([:], .get, cookie: true))
        #expect(!isRefused([.origin: "http://evil.example"], .get, cookie: true))
        #expect(isRefused([.secFetchSite: "cross-site"], .get, cookie: true))
        #expect(!isRefused([.secFetchSite: "none"], .get, cookie: true))
    }
}
