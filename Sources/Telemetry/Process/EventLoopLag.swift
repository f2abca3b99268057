import CoreMetrics
import NIOConcurrencyHelpers
package import NIOCore

/// Measures how late event loops are: what a timer that is due has to wait for is what every request on its loop waits for.
package final class EventLoopLag: Sendable {
    /// The name of its histogram, and what its label counts.
    package static let metric = "neutrino_event_loop_lag_seconds"

    private let interval: TimeAmount
    private let now: @Sendable () -> NIODeadline
    private let timers = NIOLockedValueBox<[Scheduled<Void>?]>([])

    /// - Parameter interval: Between two timers of a loop: a loop that sleeps is woken for each.
    package init(
        interval: TimeAmount = .milliseconds(250),
        now: @escaping @Sendable () -> NIODeadline = { .now() }
    ) {
        self.interval = interval
        self.now = now
    }

    /// Begins on each loop of a group, which must outlive ``stop()``.
    package func start(on group: any EventLoopGroup, registry: MetricsRegistry) {
        registry.describe(Self.metric, "How late a timer of an event loop ran, measured four times a second.")
        for (index, eventLoop) in group.makeIterator().enumerated() {
            let timer = Timer(label: Self.metric, dimensions: [("loop", "\(index)")], factory: registry)
            timers.withLockedValue { $0.append(nil) }
            schedule(index, on: eventLoop, after: now(), into: timer)
        }
    }

    package func stop() {
        for timer in timers.withLockedValue({ timers in
            defer { timers = [] }
            return timers
        }) { timer?.cancel() }
    }

    private func schedule(_ index: Int, on eventLoop: any EventLoop, after last: NIODeadline, into timer: Timer) {
        let due = last + interval
        let scheduled = eventLoop.scheduleTask(deadline: due) { [self] in
            let now = now()
            timer.recordNanoseconds(max((now - due).nanoseconds, 0))
            schedule(index, on: eventLoop, after: now, into: timer)
        }
        let isStopped = timers.withLockedValue { timers in
            guard timers.indices.contains(index) else { return true }
            timers[index] = scheduled
            return false
        }
        if isStopped { scheduled.cancel() }
    }
}
