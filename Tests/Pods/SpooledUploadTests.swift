import Core
import Glibc
import NIOCore
import Pods
import Testing

@Suite("Sending a body from a file", .eachCodec)
struct SpooledUploadTests {
    /// A file of that many bytes, removed with the last reference to it.
    private final class File: Sendable {
        let path: String
        let size: Int

        /// - Parameter isSparse: Whether it is all zeros, and made at once.
        init(size: Int, isSparse: Bool = false) {
            path = "/tmp/neutrino-pods-\(UInt64.random(in: 0 ... .max))"
            self.size = size
            let descriptor = open(path, O_CREAT | O_EXCL | O_WRONLY, 0o600)
            if isSparse {
                #expect(ftruncate(descriptor, off_t(size)) == 0)
            } else {
                let bytes = TestServer.pattern(size)
                #expect(write(descriptor, bytes, size) == size)
            }
            close(descriptor)
        }

        deinit { unlink(path) }

        func body(_ size: Int? = nil) -> RequestBody {
            .spooled(SpooledBody(name: "body", path: path, byteCount: size ?? self.size))
        }
    }

    @Test("it arrives whole, piece by piece, and its connection is used again", arguments: [1, 1000, 1001, 1_000_000])
    func whole(size: Int) async throws {
        let server = try await TestServer { exchange in
            let isRight = exchange.body == TestServer.pattern(exchange.body.count)
            exchange.answer("\(exchange.body.count) \(isRight)")
        }
        let file = File(size: size)
        let upstream = try Upstream { $0.spoolChunkBytes = 1000 }
        let pod = Pod(server)
        for _ in 0..<2 {
            let recorder = Recorder()
            try await upstream.begin(Upstream.request(.put, body: file.body()), to: pod, recorder)
            #expect(await recorder.events.next().name == "written")
            #expect(try await recorder.answer().body == "\(size) true")
        }
        #expect(server.accepted == 1)
        try await server.stop()
    }

    @Test("a pod that takes nothing stops the reading of the file")
    func backpressure() async throws {
        let exchanges = Mailbox<TestServer.Exchange>()
        let server = try await TestServer(moment: .headThenNoReading) { exchanges.put($0) }
        let file = File(size: 64 << 20, isSparse: true)
        let recorder = Recorder()
        try await Upstream().begin(Upstream.request(.post, body: file.body()), to: Pod(server), recorder)
        let exchange = await exchanges.next()
        // Sockets hold some megabytes. Whoever had read on into memory would not miss the rest of the file.
        #expect(truncate(file.path, 1) == 0)
        try await exchange.channel.setOption(.autoRead, value: true).get()
        guard case .failed(let failure) = await recorder.next() else { return #expect(Bool(false), "it is too short") }
        #expect(failure.detail.contains("ends too early"))
        try await server.stop()
    }

    @Test(
        "a file that is missing or too short fails the call before, or instead of, a whole request",
        arguments: [true, false]
    )
    func unreadable(isMissing: Bool) async throws {
        let server = try await TestServer { _ in #expect(Bool(false), "no whole request comes") }
        let file = File(size: 5000)
        if isMissing { unlink(file.path) }
        let upstream = try Upstream { $0.spoolChunkBytes = 1000 }
        let error = await #expect(throws: PodCallFailure.self) {
            try await upstream.answer(Upstream.request(.post, body: file.body(6500)), from: Pod(server))
        }
        #expect(error?.kind == .bodyUnreadable)
        #expect(error?.detail.contains("spooled body") == true)
        await server.closed(1)
        try await server.stop()
    }

    @Test("an answer that comes early ends the upload")
    func early() async throws {
        let exchanges = Mailbox<TestServer.Exchange>()
        let server = try await TestServer(moment: .headThenNoReading) { exchange in
            exchange.answer("no", status: "403 Forbidden")
            exchanges.put(exchange)
        }
        let file = File(size: 32 << 20, isSparse: true)
        let answer = try await Upstream().answer(Upstream.request(.post, body: file.body()), from: Pod(server))
        #expect(answer.status == 403 && answer.body == "no")
        // Behind what is in the sockets' buffers comes the end.
        try await exchanges.next().channel.setOption(.autoRead, value: true).get()
        await server.closed(1)
        #expect(server.bodyBytes < 32 << 20)
        try await server.stop()
    }
}
