import Core
import Ingress
import NIOCore
import Testing

@testable import Gateway

@Suite("The demo's settings")
struct DemoTests {
    @Test("Ports that are taken are passed over; what was given stays")
    func ports() async throws {
        let taken: Set = [8080, 8081, 9090]
        let demo = try await DemoSettings(try load(["--database-path", "x.db"])) { !taken.contains($1) }
        #expect(demo.loaded.settings.gatewayPort == 8082)
        #expect(demo.loaded.settings.adminPort == 9091)
        #expect(demo.loaded.settings.gatewayHost == "127.0.0.1")
        #expect(demo.temporaryFolder == nil)
        let given = try await DemoSettings(try load(["--gateway-port=8080", "--database-path=x.db"])) {
            !taken.contains($1)
        }
        #expect(given.loaded.settings.gatewayPort == 8080)
        let none = try await DemoSettings(try load(["--database-path=x.db"])) { _, _ in false }
        #expect(none.loaded.settings.gatewayPort == 0)
    }

    @Test("Its document is good, and its load goes to routes that are in it")
    func document() throws {
        let routes = try RouteSource(try load(), embedded: try DemoDocument.read()).read()
        #expect(routes.warnings.isEmpty)
        let table = routes.table
        #expect(table.routes.count == 6)
        for number in 0..<10 {
            let (method, target) = DemoLoad.target(number)
            let known = try #require(RequestMethod(rawValue: method))
            #expect(table.match(ByteBuffer(string: target), known) != nil)
        }
        let most = DemoPods.totals.map(\.gpus).max() ?? 0
        #expect(table.routes.allSatisfy { $0.needs.gpus <= most })
    }
}
