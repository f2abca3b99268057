import CoreMetrics
import Telemetry
import Testing

@Suite("What is recorded through swift-metrics")
struct MetricsRegistryTests {
    private let registry = MetricsRegistry()

    private func family(_ name: String) async -> MetricFamily? {
        await registry.families().first { $0.name == name }
    }

    private func number(_ name: String) async -> Double? {
        guard case .number(let value) = await family(name)?.series.first?.value else { return nil }
        return value
    }

    @Test("a counter is shown with the ending that counters have, and never shrinks")
    func counter() async {
        let counter = Counter(label: "jobs.done", factory: registry)
        counter.increment(by: 3)
        counter.increment(by: -5)
        // The same counter, made again elsewhere.
        Counter(label: "jobs.done", factory: registry).increment()
        #expect(await number("jobs_done_total") == 4)
        #expect(await family("jobs_done_total")?.kind == .counter)
        FloatingPointCounter(label: "used_total", factory: registry).increment(by: 0.5)
        #expect(await number("used_total") == 0.5)
    }

    @Test("meters and gauges show their last value")
    func gauges() async {
        let meter = Meter(label: "level", factory: registry)
        meter.set(4.5)
        meter.increment(by: 1)
        meter.decrement(by: 0.25)
        #expect(await number("level") == 5.25)
        let gauge = Gauge(label: "height", factory: registry)
        gauge.record(7)
        gauge.record(2)
        #expect(await number("height") == 2)
    }

    @Test("timers are histograms in seconds, recorders in their own unit")
    func histograms() async throws {
        let timer = Timer(label: "call", factory: registry)
        timer.recordMilliseconds(3)
        timer.recordSeconds(100)
        guard case .histogram(let value) = await family("call_seconds")?.series.first?.value else {
            Issue.record("a timer is a histogram")
            return
        }
        #expect(value.counts.reduce(0, +) == 2)
        #expect(value.counts.last == 1)
        #expect(value.sum == 100.003)
        #expect(value.counts[try #require(value.bounds.firstIndex(of: 0.005))] == 1)
        Recorder(label: "bytes", factory: registry).record(1000)
        guard case .histogram(let bytes) = await family("bytes")?.series.first?.value else {
            Issue.record("a recorder is a histogram")
            return
        }
        #expect(bytes.counts[try #require(bytes.bounds.firstIndex(of: 1000))] == 1)
    }

    @Test("labels make series of their own, in any order of theirs, under names that are allowed")
    func labels() async throws {
        Counter(label: "hits", dimensions: [("b", "2"), ("http.method", "GET")], factory: registry).increment()
        Counter(label: "hits", dimensions: [("http.method", "GET"), ("b", "2")], factory: registry).increment()
        Counter(label: "hits", dimensions: [("http.method", "PUT"), ("b", "2")], factory: registry).increment()
        let hits = try #require(await family("hits_total"))
        #expect(hits.series.map(\.value) == [.number(2), .number(1)])
        #expect(hits.series[0].labels == [.init("b", "2"), .init("http_method", "GET")])
        Counter(label: "7 up", dimensions: [("__x", ""), ("le", "1")], factory: registry).increment()
        #expect(await family("_7_up_total")?.series[0].labels.map(\.name) == ["le_", "x__x"])
    }

    @Test("a name is of one kind: another is not shown")
    func kinds() async {
        let meter = Meter(label: "a_total", factory: registry)
        meter.set(1)
        Counter(label: "a", factory: registry).increment(by: 9)
        Counter(label: "a", dimensions: [("x", "1")], factory: registry).increment(by: 9)
        #expect(await family("a_total")?.kind == .gauge)
        #expect(await family("a_total")?.series.count == 1)
    }

    @Test("what is destroyed by all who made it is gone")
    func destruction() async {
        let first = Counter(label: "a", factory: registry)
        let second = Counter(label: "a", factory: registry)
        first.destroy()
        #expect(await number("a_total") == 0)
        second.destroy()
        #expect(await family("a_total") == nil)
        Counter(label: "a", factory: registry).increment()
        #expect(await number("a_total") == 1)
    }

    @Test("labels without bound do not fill the memory")
    func bound() async {
        for number in 0..<MetricsRegistry.maximumSeries + 50 {
            Counter(label: "a", dimensions: [("n", "\(number)")], factory: registry).increment()
        }
        #expect(await family("a_total")?.series.count == MetricsRegistry.maximumSeries)
    }

    @Test("collectors are asked each time, and what they tell of one metric is one metric")
    func collectors() async throws {
        struct Collector: MetricsCollector {
            let pod: String
            let kind: MetricFamily.Kind

            func collect() async -> [MetricFamily] {
                var family = MetricFamily(kind, "pods", "Pods.")
                family.add(1, [.init("pod", pod)])
                return [family]
            }
        }
        registry.add(Collector(pod: "a", kind: .gauge), Collector(pod: "b", kind: .gauge))
        registry.add(Collector(pod: "c", kind: .counter))
        #expect(try #require(await family("pods")).series.map(\.labels) == [[.init("pod", "a")], [.init("pod", "b")]])
        #expect(await registry.text().hasPrefix("# HELP pods Pods.\n# TYPE pods gauge\npods{pod=\"a\"} 1\n"))
    }

    @Test("a described metric has its words")
    func help() async {
        registry.describe("call_seconds", "Calls.")
        Timer(label: "call_seconds", factory: registry).recordSeconds(1)
        #expect(await family("call_seconds")?.help == "Calls.")
    }
}
