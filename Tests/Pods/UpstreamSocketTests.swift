import Core
import NIOConcurrencyHelpers
import NIOCore
import Pods
import Testing

/// Where the kernel is the judge: its buffers say when a pod has stalled, its clock when a peer has vanished. No clock of a test's moves
/// either, so these wait by the real one.
@Suite("An exchange with a pod, as far as its sockets decide", .eachCodec)
struct UpstreamSocketTests {
    @Test("while the receiver takes no more nothing is read from the pod, and nothing is late")
    func backpressure() async throws {
        let total = 64 << 20
        let written = NIOLockedValueBox(0)
        let server = try await TestServer { exchange in
            exchange.write("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
            let piece = ByteBuffer(repeating: 120, count: 1 << 20)
            for _ in 0..<64 {
                exchange.channel.writeAndFlush(piece).whenSuccess { written.withLockedValue { $0 += 1 << 20 } }
            }
        }
        let upstream = try Upstream()
        let recorder = Recorder()
        recorder.keepsBodies = false
        let box = NIOLockedValueBox<Upstream.Call?>(nil)
        recorder.hook = { event in
            if case .head = event { box.withLockedValue { $0 }?.call.setReading(false) }
        }
        let call = try await upstream.begin(Upstream.request(), to: Pod(server), recorder) { call in
            box.withLockedValue { $0 = call }
        }
        #expect(await recorder.next().name == "head 200 length(\(total))")
        // What the sockets' buffers hold is all that leaves the pod: it has stalled when a while brings no more.
        var sent = -1
        while sent != written.withLockedValue({ $0 }) {
            sent = written.withLockedValue { $0 }
            try await upstream.advance(.seconds(1000))
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(sent < 24 << 20, "\(sent) bytes left the pod")
        let taken = try await upstream.loop.submit { recorder.bodyBytes }.get()
        #expect(taken <= 2 << 20, "\(taken) bytes were read at once with the head")
        call.setReading(true)
        #expect(await recorder.next().name == "end")
        #expect(try await upstream.loop.submit { recorder.bodyBytes }.get() == total)
        try await server.stop()
    }

    @Test("a pod that is alive and takes nothing of a large body for long is not taken for one that vanished")
    func busyPod() async throws {
        let exchanges = Mailbox<TestServer.Exchange>()
        let server = try await TestServer(moment: .headThenNoReading) { exchanges.put($0) }
        let upstream = try Upstream { $0.tcpUserTimeout = .milliseconds(100) }
        let body = ByteBuffer(repeating: 0, count: 32 << 20)
        let recorder = Recorder()
        try await upstream.begin(Upstream.request(.post, body: .memory(body)), to: Pod(server), recorder)
        let exchange = await exchanges.next()
        // The kernel's own clock; left to it, it ends the connection within a second.
        try await Task.sleep(for: .seconds(2))
        try await exchange.channel.setOption(.autoRead, value: true).get()
        #expect(await recorder.events.next().name == "written")
        exchange.answer()
        #expect(try await recorder.answer().body == "ok")
        try await server.stop()
    }
}
