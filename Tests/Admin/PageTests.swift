import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Testing

@testable import Admin

@Suite("The operators' page")
struct PageTests {
    private func answer(_ name: String, knowing tag: String? = nil) throws -> Response {
        var head = HTTPRequest(method: .get, scheme: "http", authority: "localhost", path: "/admin/assets/\(name)")
        head.headerFields[.ifNoneMatch] = tag
        return try PageCalls.answer(
            PageFile.all[name],
            to: Request(head: head, body: RequestBody(buffer: ByteBuffer()))
        )
    }

    @Test(
        "a part is sent whole, with its type",
        arguments: [
            ("index.html", "text/html; charset=utf-8"), ("main.js", "text/javascript; charset=utf-8"),
            ("theme.css", "text/css; charset=utf-8"), ("icon.svg", "image/svg+xml"),
        ]
    )
    func isSent(name: String, type: String) throws {
        let response = try answer(name)
        #expect(response.status == .ok)
        #expect(response.headers[.contentType] == type)
        #expect(response.body.contentLength == PageFile.all[name]?.bytes.readableBytes)
    }

    @Test("a part that the browser has is not sent again; another version of it is")
    func isNotSentTwice() throws {
        let tag = try #require(try answer("main.js").headers[.eTag])
        for known in [tag, "W/\(tag)", "\"other\", \(tag)", "*"] {
            let response = try answer("main.js", knowing: known)
            #expect(response.status == .notModified)
            #expect(response.body.contentLength == 0)
            #expect(response.headers[.eTag] == tag)
        }
        #expect(try answer("main.js", knowing: "\"other\"").status == .ok)
        #expect(try answer("api.js").headers[.eTag] != tag)
    }

    @Test("what is no part of it is a problem, not a file", arguments: ["../AdminServer.swift", "", "main.js.map"])
    func hasNoOtherParts(name: String) {
        #expect(throws: AdminProblem.self) { try answer(name) }
    }

    @Test(
        "only the page's own paths are open",
        arguments: [
            ("/admin", true), ("/admin/", true), ("/admin/assets/main.js", true), ("/admin/api/queue", false),
            ("/admin/assets", false), ("/admin/login", false), ("/administrator", false),
        ]
    )
    func knowsItsPaths(path: String, isOpen: Bool) {
        #expect(PageCalls.isPage(path) == isOpen)
    }

    @Test("every part that a part names is there", arguments: PageFile.all.keys.sorted())
    func isWhole(name: String) throws {
        let text = String(buffer: try #require(PageFile.all[name]).bytes)
        let named = text.matches(of: /(?:"\/admin\/assets\/|from "\.\/)([^"]+)"/).map { String($0.1) }
        #expect(Set(named).subtracting(PageFile.all.keys) == [])
        #expect(name != "index.html" || named.contains("main.js"))
    }

    @Test("nothing in it parses markup, runs text or styles by attribute", arguments: PageFile.all.keys.sorted())
    func showsDataAsText(name: String) throws {
        let text = String(buffer: try #require(PageFile.all[name]).bytes)
        let doors =
            /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval\(|new Function|srcdoc|style=|onclick=|javascript:/
        #expect(text.firstMatch(of: doors) == nil)
    }
}
