import NIOCore
import NIOPosix
import Testing

@testable import Ingress

@Suite("Whether a client takes its answer")
struct SendProgressTests {
    private func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(seconds) }

    @Test("One that takes nothing has its time, and one that takes a little has it anew")
    func progress() {
        var steady = SendProgress(within: .seconds(80), since: at(0))
        var stopped = steady
        #expect(steady.nextLook(after: at(0)) == at(10))
        for look in 1..<8 {
            let now = at(Int64(look) * 10)
            #expect(steady.look(UInt64(1000 + look), at: now) == now + .seconds(10))
            // What was taken before the first look is not known.
            #expect(stopped.look(1000, at: now) == now + .seconds(10))
        }
        #expect(stopped.look(1000, at: at(80)) == nil)
        #expect(steady.look(1007, at: at(80)) == at(90))
        for look in 9...14 { #expect(steady.look(1007, at: at(Int64(look) * 10)) != nil) }
        #expect(steady.look(1007, at: at(150)) == nil)
    }

    @Test("Where nobody can tell what is taken, it has its time")
    func unknown() {
        var progress = SendProgress(within: .seconds(80), since: at(0))
        #expect(progress.look(nil, at: at(75)) == at(80))
        #expect(progress.look(nil, at: at(80)) == nil)
    }

    @Test("The kernel tells how many bytes the other end has acknowledged")
    func acknowledged() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let accepted = group.any().makePromise(of: (any Channel).self)
        let listener = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                accepted.succeed(channel)
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let client = try await RawClient(listener.localAddress!.port!)
        let channel = try await accepted.futureResult.get()
        func acknowledged() async throws -> UInt64? {
            try await channel.eventLoop.submit { channel.acknowledgedBytes }.get()
        }
        let before = try #require(try await acknowledged())
        try await channel.writeAndFlush(ByteBuffer(string: String(repeating: "x", count: 100_000) + "end")).get()
        _ = await client.text(through: "end")
        // The last acknowledgement may be on its way for as long as the client's kernel delays it: what the client then sends takes it along.
        try await client.send("x")
        let after = try #require(try await acknowledged())
        #expect(after - before > 50_000)
        try await client.close()
        try await listener.close().get()
    }
}
