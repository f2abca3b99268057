import Core
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing

@testable import Queue

@Suite("What the writer takes at once")
struct WriterBufferTests {
    /// A buffer under a clock of the test's own.
    private final class Bench {
        let clock = NIOLockedValueBox<Int64>(1_000_000_000)
        let buffer: WriterBuffer
        private let eventLoop = MultiThreadedEventLoopGroup.singleton.any()

        init() {
            let clock = clock
            buffer = WriterBuffer(
                ids: RequestIDGenerator(node: 1, last: 0),
                limit: 1000,
                rejectionsPerSecond: 100,
                now: { clock.withLockedValue { $0 } }
            )
        }

        func insert(_ count: Int) {
            for _ in 0..<count {
                let request = QueuedRequest(
                    eventLoop: eventLoop,
                    route: .named("default"),
                    method: .post,
                    target: ByteBuffer(string: "/"),
                    fields: HeaderFields(),
                    body: .none,
                    needs: .zero,
                    priority: .live,
                    clientAddress: "192.0.2.1",
                    arrivedAt: .now(),
                    sink: NoSink()
                )
                buffer.insert(request, pod: nil, receiver: NoReceiver(eventLoop: eventLoop))
            }
        }

        func end(_ count: Int) {
            for number in 0..<count { _ = buffer.end(.of(RequestID(rawValue: Int64(number + 1)))) }
        }

        /// How many rows and outcomes are taken now.
        func take(isBroken: Bool = false) -> [Int] {
            var batch = WriterBatch()
            buffer.take(&batch, until: 0, isBusy: false, isBroken: isBroken)
            return [batch.rows.count, batch.outcomes.count]
        }

        func pass(_ nanoseconds: Int64) { clock.withLockedValue { $0 += nanoseconds } }
    }

    private final class NoReceiver: CommitReceiver, Sendable {
        let eventLoop: any EventLoop

        init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

        func committed(pod: Pod?) {}
        func commitFailed(_ problem: StorageProblem) {}
    }

    @Test("many rows leave the outcomes at hand until these have company, or have waited long enough")
    func manyRows() {
        let bench = Bench()
        bench.end(1)
        bench.insert(WriterBuffer.crowd)
        #expect(bench.take() == [WriterBuffer.crowd, 0])
        // Their time runs from when the first one came.
        bench.pass(WriterBuffer.outcomeDelay - 1)
        bench.end(1)
        bench.insert(WriterBuffer.crowd)
        #expect(bench.take() == [WriterBuffer.crowd, 0])
        bench.pass(1)
        bench.insert(WriterBuffer.crowd)
        #expect(bench.take() == [WriterBuffer.crowd, 2])

        bench.end(WriterBuffer.outcomesAtOnce)
        bench.insert(WriterBuffer.crowd)
        #expect(bench.take() == [WriterBuffer.crowd, WriterBuffer.outcomesAtOnce])
    }

    @Test("few rows take the outcomes along, as does whatever needs all that was handed over")
    func fewRows() {
        var bench = Bench()
        bench.end(1)
        bench.insert(WriterBuffer.crowd - 1)
        #expect(bench.take() == [WriterBuffer.crowd - 1, 1])

        bench.end(1)
        bench.insert(WriterBuffer.crowd)
        #expect(bench.buffer.run(WriterJob(work: .threadOnly {}, done: { _ in })))
        #expect(bench.take() == [WriterBuffer.crowd, 1])

        bench.end(1)
        bench.insert(WriterBuffer.crowd)
        #expect(bench.take(isBroken: true) == [WriterBuffer.crowd, 1])

        bench = Bench()
        bench.end(1)
        bench.insert(WriterBuffer.crowd)
        bench.buffer.close()
        #expect(bench.take() == [WriterBuffer.crowd, 1])
    }
}
