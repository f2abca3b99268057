package import CoreMetrics
import NIOConcurrencyHelpers

/// Knows figures that it is asked for: so they cost nothing until somebody wants to see them.
package protocol MetricsCollector: Sendable {
    func collect() async -> [MetricFamily]
}

/// All metrics of a gateway: what its parts and libraries record through swift-metrics, whose backend this is, and what collectors
/// know when they are asked.
///
/// Where one name comes up as two kinds, the first is shown. Above ``maximumSeries`` what is recorded under new labels is not shown:
/// labels without bound must not fill the memory.
package final class MetricsRegistry: Sendable {
    package static let maximumSeries = 10_000

    private struct Key: Hashable {
        var name: String
        var labels: [MetricFamily.Label]
    }

    private struct Entry {
        var kind: MetricFamily.Kind
        var instrument: any Instrument
        /// swift-metrics' objects that record into it.
        var users = 1
    }

    private struct State {
        var entries: [Key: Entry] = [:]
        var keys: [ObjectIdentifier: Key] = [:]
        var kinds: [String: MetricFamily.Kind] = [:]
        var helps: [String: String] = [:]
        var collectors: [any MetricsCollector] = []
    }

    private let state = NIOLockedValueBox(State())

    package init() {}

    package func add(_ collectors: any MetricsCollector...) {
        state.withLockedValue { $0.collectors += collectors }
    }

    /// Says what a metric is that is recorded through swift-metrics, which has no words for it. `name` is as it is shown.
    package func describe(_ name: String, _ help: String) {
        state.withLockedValue { $0.helps[name] = help }
    }

    /// Everything as it is now, by name.
    package func families() async -> [MetricFamily] {
        var families = recorded()
        for collector in state.withLockedValue({ $0.collectors }) {
            for family in await collector.collect() {
                guard let known = families[family.name] else {
                    families[family.name] = family
                    continue
                }
                if known.kind == family.kind { families[family.name]?.merge(family) }
            }
        }
        return families.values.sorted { $0.name < $1.name }
    }

    /// As Prometheus reads it.
    package func text() async -> String { MetricsText.write(await families()) }

    private func recorded() -> [String: MetricFamily] {
        let (entries, helps) = state.withLockedValue { ($0.entries, $0.helps) }
        var families: [String: MetricFamily] = [:]
        let ordered = entries.sorted { left, right in
            left.key.labels.map(\.value).lexicographicallyPrecedes(right.key.labels.map(\.value))
        }
        for (key, entry) in ordered {
            let help = helps[key.name] ?? "Recorded by a library."
            var family = families[key.name] ?? MetricFamily(entry.kind, key.name, help)
            switch entry.instrument.value {
            case .number(let value): family.add(value, key.labels)
            case .histogram(let value): family.add(value, key.labels)
            }
            families[key.name] = family
        }
        return families
    }

    /// What is recorded into under a name and labels: the one that is there, or a new one.
    private func instrument<Made: Instrument>(
        _ kind: MetricFamily.Kind,
        _ name: String,
        _ dimensions: [(String, String)],
        _ make: () -> Made
    ) -> Made {
        let labels = dimensions.map { MetricFamily.Label(MetricName.label($0.0), $0.1) }.sorted { $0.name < $1.name }
        let key = Key(name: name, labels: labels)
        return state.withLockedValue { state in
            if let known = state.entries[key] {
                guard known.kind == kind, let instrument = known.instrument as? Made else { return make() }
                state.entries[key]?.users += 1
                return instrument
            }
            let instrument = make()
            guard state.kinds[name] ?? kind == kind, state.entries.count < Self.maximumSeries else { return instrument }
            state.kinds[name] = kind
            state.entries[key] = Entry(kind: kind, instrument: instrument)
            state.keys[ObjectIdentifier(instrument)] = key
            return instrument
        }
    }

    private func destroy(_ handler: AnyObject) {
        state.withLockedValue { state in
            guard let key = state.keys[ObjectIdentifier(handler)] else { return }
            state.entries[key]?.users -= 1
            guard state.entries[key]?.users == 0 else { return }
            state.entries[key] = nil
            state.keys[ObjectIdentifier(handler)] = nil
        }
    }
}

extension MetricsRegistry: MetricsFactory {
    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        instrument(.counter, MetricName.name(label, ending: "_total"), dimensions) { CounterInstrument() }
    }

    package func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        instrument(.counter, MetricName.name(label, ending: "_total"), dimensions) { FractionCounterInstrument() }
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        instrument(.gauge, MetricName.name(label), dimensions) { GaugeInstrument() }
    }

    package func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        let name = MetricName.name(label)
        guard aggregate else { return instrument(.gauge, name, dimensions) { GaugeInstrument() } }
        return instrument(.histogram, name, dimensions) { HistogramInstrument(bounds: HistogramInstrument.decades) }
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        instrument(.histogram, MetricName.name(label, ending: "_seconds"), dimensions) {
            HistogramInstrument(bounds: HistogramInstrument.seconds)
        }
    }

    package func destroyCounter(_ handler: any CounterHandler) { destroy(handler) }
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { destroy(handler) }
    package func destroyMeter(_ handler: any MeterHandler) { destroy(handler) }
    package func destroyRecorder(_ handler: any RecorderHandler) { destroy(handler) }
    package func destroyTimer(_ handler: any TimerHandler) { destroy(handler) }
}
