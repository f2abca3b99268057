import Logging
import Testing

@testable import Admin
@testable import Gateway

@Suite("The admin API and its document")
struct AdminDocumentTests {
    @Test("every call that there is is described, and none that there is not")
    func complete() async throws {
        try await withFolder { folder in
            let written = Written()
            let server = try await openGateway(["--database-path", "\(folder)/n.db"], written)
            let listener = try server.parts.adminServer(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            { _ in }
            // The page is for people.
            let calls = Set(
                listener.calls.filter { !$0.hasPrefix("GET /admin/assets") && !["GET /", "GET /admin"].contains($0) }
            )
            #expect(calls == Set(AdminDocument.calls.map(\.name)))
            await server.close()
        }
    }
}
