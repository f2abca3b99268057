import Glibc
import NIOCore
import NIOPosix
import Testing

@testable import HTTP

@Suite("Why a client's connection did not come about")
struct ConnectFailureTests {
    private static let place = "pods.test:7500"

    /// Answers both questions about a name at once.
    private struct FixedResolver: Resolver {
        let eventLoop: any EventLoop
        let addresses: Result<[SocketAddress], any Error>

        func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
            eventLoop.makeCompletedFuture(addresses)
        }

        func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
            eventLoop.makeCompletedFuture(addresses.map { _ in [] })
        }

        func cancelQueries() {}
    }

    private struct Odd: Error, CustomStringConvertible {
        var description: String { "odd" }
    }

    /// What NIO fails with where a name has these addresses, and each connection ends so.
    private static func failure(
        _ addresses: Result<[SocketAddress], any Error>,
        _ ends: any Error = Odd()
    ) async throws -> ConnectFailure {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        let error = await #expect(throws: (any Error).self) {
            try await ClientBootstrap(group: eventLoop)
                .resolver(FixedResolver(eventLoop: eventLoop, addresses: addresses))
                .channelInitializer { $0.eventLoop.makeFailedFuture(ends) }
                .connect(host: "pods.test", port: 7500).get()
        }
        #expect(error is NIOConnectionError)
        return ConnectFailure(try #require(error))
    }

    private static func addresses(_ hosts: String...) throws -> Result<[SocketAddress], any Error> {
        .success(try hosts.map { try SocketAddress(ipAddress: $0, port: 7500) })
    }

    @Test("a name that nobody could resolve is told with the resolver's words", arguments: [EAI_NONAME, EAI_AGAIN])
    func resolver(code: CInt) async throws {
        let words = String(cString: gai_strerror(code))
        // Nobody but NIO can make one: whatever it says here is replaced.
        var unknown = try #require(throws: SocketAddressError.UnknownHost.self) {
            try SocketAddress.makeAddressResolvingHost("no-such-pod.invalid", port: 7500)
        }
        (unknown.errorCode, unknown.errorDescription) = (Int(code), words)
        let failure = try await Self.failure(.failure(unknown))
        #expect(failure.words(to: Self.place) == "no address was found for pods.test:7500: \(words)")
        #expect(!failure.isShortage)
        let odd = try await Self.failure(.failure(Odd()))
        #expect(odd.words(to: Self.place) == "no address was found for pods.test:7500: odd")
    }

    @Test("a name without addresses is told, too")
    func noAddress() async throws {
        let failure = try await Self.failure(try Self.addresses())
        #expect(failure.words(to: Self.place) == "no address was found for pods.test:7500")
    }

    @Test("where addresses were tried, the first failure is told")
    func attempts() async throws {
        let addresses = try Self.addresses("127.0.0.1", "127.0.0.2")
        let odd = try await Self.failure(addresses)
        #expect(odd.words(to: Self.place) == "pods.test:7500 cannot be reached: odd" && !odd.isShortage)
        let short = try await Self.failure(addresses, IOError(errnoCode: EMFILE, reason: "socket"))
        #expect(short.words(to: Self.place) == "pods.test:7500 cannot be reached: Too many open files")
        #expect(short.isShortage)
    }

    @Test("a failure at an address that needed no name is told alike")
    func address() {
        let refused = ConnectFailure(IOError(errnoCode: ECONNREFUSED, reason: "so_error: Connection refused"))
        #expect(refused.words(to: Self.place) == "nobody listens at pods.test:7500" && !refused.isShortage)
        let unreachable = ConnectFailure(IOError(errnoCode: EHOSTUNREACH, reason: "connect"))
        #expect(unreachable.words(to: Self.place) == "pods.test:7500 cannot be reached: No route to host")
        #expect(ConnectFailure(IOError(errnoCode: ENOBUFS, reason: "connect")).isShortage)
    }
}
