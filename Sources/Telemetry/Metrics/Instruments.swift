import CoreMetrics
import NIOConcurrencyHelpers
import Synchronization

/// What somebody records into through swift-metrics, from any thread.
protocol Instrument: AnyObject, Sendable {
    var value: MetricFamily.Value { get }
}

final class CounterInstrument: Instrument, CounterHandler {
    private let total = Atomic<Int64>(0)

    var value: MetricFamily.Value { .number(Double(total.load(ordering: .relaxed))) }

    func increment(by amount: Int64) {
        // A counter only grows.
        guard amount > 0 else { return }
        total.wrappingAdd(amount, ordering: .relaxed)
    }

    func reset() { total.store(0, ordering: .relaxed) }
}

final class FractionCounterInstrument: Instrument, FloatingPointCounterHandler {
    private let total = NIOLockedValueBox(0.0)

    var value: MetricFamily.Value { .number(total.withLockedValue { $0 }) }

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        total.withLockedValue { $0 += amount }
    }

    func reset() { total.withLockedValue { $0 = 0 } }
}

/// The last value: of a meter, and of a recorder that is not to be aggregated.
final class GaugeInstrument: Instrument, MeterHandler, RecorderHandler {
    private let last = NIOLockedValueBox(0.0)

    var value: MetricFamily.Value { .number(last.withLockedValue { $0 }) }

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { last.withLockedValue { $0 = value } }
    func increment(by amount: Double) { last.withLockedValue { $0 += amount } }
    func decrement(by amount: Double) { last.withLockedValue { $0 -= amount } }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
}

/// Values by size: of a timer, in seconds, and of a recorder that is to be aggregated, in its own unit.
final class HistogramInstrument: Instrument, TimerHandler, RecorderHandler {
    /// From half a millisecond to a minute.
    static let seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
    /// For values of which nothing is known.
    static let decades = [0.001, 0.01, 0.1, 1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000]

    private let counts: NIOLockedValueBox<HistogramValue>

    init(bounds: [Double]) { counts = NIOLockedValueBox(HistogramValue(bounds: bounds)) }

    var value: MetricFamily.Value { .histogram(counts.withLockedValue { $0 }) }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
    func record(_ value: Int64) { record(Double(value)) }
    func record(_ value: Double) { counts.withLockedValue { $0.record(value) } }
}
