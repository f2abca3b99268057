import Foundation
import HTTPTypes
import Hummingbird
import Testing

@testable import Admin

@Suite("The document of the admin API")
struct AdminDocumentTests {
    private func json() throws -> [String: Any] {
        let bytes = try AdminDocument(version: "1.2.3").bytes
        return try #require(
            JSONSerialization.jsonObject(with: Data(bytes.readableBytesView)) as? [String: Any]
        )
    }

    @Test("it says which version of which program it describes, in OpenAPI 3.1")
    func head() throws {
        let document = try json()
        #expect(document["openapi"] as? String == "3.1.0")
        #expect((document["info"] as? [String: Any])?["version"] as? String == "1.2.3")
        #expect(
            (document["paths"] as? [String: Any])?.count == Set(AdminDocument.calls.map(\.path)).count
        )
    }

    @Test("whatever a schema refers to is there, and every component is used")
    func references() throws {
        let text = String(buffer: try AdminDocument(version: "1").bytes)
        let components = try #require(try json()["components"] as? [String: [String: Any]])
        let schemas = try #require(components["schemas"]).keys
        let used = Set(text.matches(of: /"#\/components\/schemas\/(\w+)"/).map { String($0.1) })
        #expect(used == Set(schemas))
    }

    @Test("every parameter of a path is described, and no call is described twice")
    func parameters() {
        for call in AdminDocument.calls {
            let inPath = call.path.matches(of: /{(\w+)}/).map { String($0.1) }
            #expect(
                call.parameters.filter { $0.place == .path }.map(\.name) == inPath,
                "\(call.method) \(call.path)"
            )
        }
        #expect(
            Set(AdminDocument.calls.map { "\($0.method) \($0.path)" }).count == AdminDocument.calls.count
        )
    }

    @Test(
        "a path with another method is told from one that there is not",
        arguments: [
            ("/admin/api/queue", ["GET", "HEAD"]),
            ("/admin/api/requests/0AMCGAA6W0000", ["GET", "HEAD", "DELETE"]),
            ("/admin/api/routes/POST%20%2Fgpu", ["PATCH"]), ("/admin/api/nothing", []),
            ("/admin/api", []),
        ]
    )
    func methods(path: String, expected: [String]) {
        #expect(CallTable.methods(of: path).map(\.rawValue) == expected)
    }
}
