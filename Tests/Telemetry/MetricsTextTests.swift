import Telemetry
import Testing

@Suite("The text that Prometheus reads")
struct MetricsTextTests {
    @Test("a metric has its help, its type and a line for each series")
    func counter() {
        var family = MetricFamily(.counter, "a_total", "Counts.")
        family.add(3, [.init("route", "POST /a/{b}"), .init("status", "2xx")])
        family.add(0.25, [.init("route", "default"), .init("status", "none")])
        #expect(
            MetricsText.write([family]) == """
                # HELP a_total Counts.
                # TYPE a_total counter
                a_total{route="POST /a/{b}",status="2xx"} 3
                a_total{route="default",status="none"} 0.25

                """
        )
    }

    @Test("a histogram's buckets add up, and end with all")
    func histogram() {
        let value = HistogramValue(bounds: [0.001, 0.5, 60], counts: [2, 0, 5, 1], sum: 61.5)
        var family = MetricFamily(.histogram, "h_seconds", "Takes.")
        family.add(value)
        family.add(value, [.init("pod", "a")])
        #expect(
            MetricsText.write([family]) == """
                # HELP h_seconds Takes.
                # TYPE h_seconds histogram
                h_seconds_bucket{le="0.001"} 2
                h_seconds_bucket{le="0.5"} 2
                h_seconds_bucket{le="60"} 7
                h_seconds_bucket{le="+Inf"} 8
                h_seconds_sum 61.5
                h_seconds_count 8
                h_seconds_bucket{pod="a",le="0.001"} 2
                h_seconds_bucket{pod="a",le="0.5"} 2
                h_seconds_bucket{pod="a",le="60"} 7
                h_seconds_bucket{pod="a",le="+Inf"} 8
                h_seconds_sum{pod="a"} 61.5
                h_seconds_count{pod="a"} 8

                """
        )
    }

    @Test("a metric without series is left out")
    func empty() {
        #expect(MetricsText.write([MetricFamily(.gauge, "a", "Nothing.")]) == "")
    }

    @Test("nothing in a label or a help text can end its line or its quotes")
    func escaping() {
        var family = MetricFamily(.gauge, "a", "Back\\slash, \"quotes\" and\nlines.")
        family.add(1, [.init("b", "x\"} 7\na{b=\"\\é")])
        #expect(
            MetricsText.write([family]) == """
                # HELP a Back\\\\slash, "quotes" and\\nlines.
                # TYPE a gauge
                a{b="x\\"} 7\\na{b=\\"\\\\é"} 1

                """
        )
    }

    @Test(
        "numbers are written as they are read",
        arguments: [
            (0, "0"), (-0.5, "-0.5"), (1e15, "1000000000000000"), (1e17, "1e+17"), (123_456_789, "123456789"),
            (0.1, "0.1"), (6.4e-05, "6.4e-05"),
            (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"),
        ] as [(Double, String)]
    )
    func numbers(value: Double, text: String) {
        #expect(MetricsText.write([.gauge("a", "A.", value)]).split(separator: "\n").last == "a \(text)")
    }
}
