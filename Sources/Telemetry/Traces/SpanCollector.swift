/// What became of spans, as metrics.
package struct SpanCollector: MetricsCollector {
    private let buffer: SpanBuffer

    package init(buffer: SpanBuffer) { self.buffer = buffer }

    package func collect() async -> [MetricFamily] {
        let counts = buffer.counts
        return [
            .counter("neutrino_spans_exported_total", "Spans that the trace collector has taken.", counts.exported),
            .counter(
                "neutrino_spans_dropped_total",
                "Spans that came when too many waited to be sent.",
                counts.dropped
            ),
            .counter("neutrino_spans_failed_total", "Spans that were sent and not taken.", counts.failed),
        ]
    }
}
