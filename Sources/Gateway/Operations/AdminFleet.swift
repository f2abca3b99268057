import Pods

/// The gateways that a command is about: those of `ADMIN_URL`.
struct AdminFleet: Sendable {
    let gateways: [AdminClient]

    /// What one of them answered, or why it did not.
    struct Reply<Value: Sendable>: Sendable {
        var gateway: AdminClient
        var result: Result<Value, GatewayError>
    }

    var isOne: Bool { gateways.count == 1 }

    /// The only one.
    /// - Throws: ``GatewayError`` where there are several and the command is about one.
    func one(for command: String) throws(GatewayError) -> AdminClient {
        guard isOne, let gateway = gateways.first else {
            throw GatewayError(.usage, "`\(command)` is about one gateway; name it with --admin-url")
        }
        return gateway
    }

    /// Asks all of them at once; the replies are in their order.
    func each<Value: Sendable>(
        _ body: @escaping @Sendable (AdminClient) async throws(GatewayError) -> Value
    ) async -> [Reply<Value>] {
        await withTaskGroup(of: (Int, Result<Value, GatewayError>).self) { group in
            for (index, gateway) in gateways.enumerated() {
                group.addTask {
                    do throws(GatewayError) {
                        return (index, .success(try await body(gateway)))
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            var results: [Int: Result<Value, GatewayError>] = [:]
            for await (index, result) in group { results[index] = result }
            return gateways.enumerated().compactMap { index, gateway in
                results[index].map { Reply(gateway: gateway, result: $0) }
            }
        }
    }

    /// Asks them one after the other who has something, and returns the first that does.
    /// - Throws: Why the first that could not say did not, else what the first said.
    func first<Value: Sendable>(
        _ body: (AdminClient) async throws(GatewayError) -> Value
    ) async throws(GatewayError) -> (AdminClient, Value) {
        var errors: [GatewayError] = []
        for gateway in gateways {
            do {
                return (gateway, try await body(gateway))
            } catch {
                errors.append(error)
            }
        }
        throw errors.first { $0.code == .unreachable } ?? errors.first
            ?? GatewayError(.usage, "there is no gateway to ask")
    }
}
