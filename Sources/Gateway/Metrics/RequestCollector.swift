import Core
import Queue
import Telemetry

/// What became of requests since the start, by route. A request that no route of the document matches is of the route `default`, so there are
/// as many routes as the document has.
struct RequestCollector: MetricsCollector {
    let meter: RequestMeter

    func collect() async -> [MetricFamily] {
        var requests = MetricFamily(
            .counter,
            "neutrino_requests_total",
            "Requests that ended, those refused at the door among them; `status` is the class of what the client was sent, `none` for nothing."
        )
        var retries = MetricFamily(
            .counter,
            "neutrino_request_retries_total",
            "Dispatches of requests that ended beyond the first of each."
        )
        var hold = MetricFamily(
            .histogram,
            "neutrino_request_hold_seconds",
            "From the commit of a request to its last dispatch, or to its end where it had none."
        )
        var upstream = MetricFamily(
            .histogram,
            "neutrino_request_upstream_seconds",
            "From the last dispatch of a request to its end; only of requests that a pod had."
        )
        var total = MetricFamily(
            .histogram,
            "neutrino_request_duration_seconds",
            "From the last byte of a request to its end; not of those refused at the door."
        )
        for route in meter.routes {
            let label = [MetricFamily.Label("route", route.routeID)]
            for (kind, count) in route.ends {
                requests.add(
                    count,
                    label + [
                        .init("state", kind.state.name), .init("reason", kind.reason.rawValue),
                        .init("status", kind.statusClass == 0 ? "none" : "\(kind.statusClass)xx"),
                    ]
                )
            }
            retries.add(route.retries, label)
            hold.add(HistogramValue(route.hold), label)
            upstream.add(HistogramValue(route.upstream), label)
            total.add(HistogramValue(route.total), label)
        }
        return [requests, retries, hold, upstream, total]
    }
}

extension HistogramValue {
    /// In seconds.
    init(_ histogram: BucketHistogram) {
        self.init(
            bounds: BucketHistogram.bounds.map { Double($0) / 1e9 },
            counts: histogram.counts,
            sum: Double(histogram.sum) / 1e9
        )
    }

    /// - Parameters:
    ///   - histogram: By powers of two.
    ///   - powers: Of the bounds that are told; what is smaller is in the first, what is larger above the last.
    ///   - unit: By which values are divided.
    init(_ histogram: PowerHistogram, powers: ClosedRange<Int>, unit: Double) {
        var counts = Array(histogram.counts[powers])
        counts[0] += histogram.counts[..<powers.lowerBound].reduce(0, +)
        counts.append(histogram.counts[(powers.upperBound + 1)...].reduce(0, +))
        self.init(
            bounds: powers.map { Double(1 << $0) / unit },
            counts: counts,
            sum: Double(histogram.sum) / unit
        )
    }
}
