import NIOCore
import Testing

@testable import Queue

@Suite("Histograms of durations")
struct HistogramTests {
    @Test(
        "a percentile is read back within 7 % of what was recorded",
        arguments: [9, 10, 127, 128, 1000, 1024, 1_000_000, 59_999_999, 3_600_000_000, 86_400_000_000] as [Int64]
    )
    func closeness(microseconds: Int64) throws {
        var histogram = LogHistogram()
        histogram.record(.microseconds(microseconds))
        // One that is longer, so that the longest does not correct it.
        histogram.record(.microseconds(microseconds * 2))
        let median = try #require(histogram.percentile(0.5))
        let error = Double(median.nanoseconds) / Double(microseconds * 1000) - 1
        #expect(abs(error) < 0.07, "\(median.nanoseconds) ns for \(microseconds) µs")
        #expect(histogram.longest == .microseconds(microseconds * 2))
    }

    @Test("percentiles are by nearest rank, and no more than the longest")
    func ranks() throws {
        var histogram = LogHistogram()
        #expect(histogram.percentile(0.5) == nil)
        for milliseconds in 1...100 { histogram.record(.milliseconds(Int64(milliseconds))) }
        for (share, expected) in [(0.5, 50.0), (0.9, 90), (0.99, 99), (0, 1)] {
            let value = Double(try #require(histogram.percentile(share)).nanoseconds) / 1e6
            #expect(abs(value / expected - 1) < 0.07, "\(share): \(value)")
        }
        #expect(try #require(histogram.percentile(1)) <= .milliseconds(100))
    }

    @Test("what is out of bounds is in the first bucket or the last, and memory is used again")
    func extremes() throws {
        var histogram = LogHistogram()
        histogram.record(.nanoseconds(-5))
        histogram.record(.zero)
        histogram.record(.hours(24 * 365))
        #expect(histogram.count == 3)
        #expect(try #require(histogram.percentile(0.5)) < .microseconds(8))
        #expect(try #require(histogram.percentile(1)) > .hours(24))
        histogram.removeAll()
        #expect(histogram.count == 0)
        #expect(histogram.percentile(0.5) == nil)
        histogram.record(.seconds(1))
        #expect(histogram.percentile(0.01) == .seconds(1))
    }

    @Test("two are added value by value")
    func addition() {
        var (left, right, both) = (LogHistogram(), LogHistogram(), LogHistogram())
        for value in 1...20 {
            let amount = TimeAmount.milliseconds(Int64(value * value))
            if value % 2 == 0 { left.record(amount) } else { right.record(amount) }
            both.record(amount)
        }
        left.add(right)
        left.add(LogHistogram())
        #expect(left == both)
    }

    @Test("a bound belongs to the bucket below it")
    func bounds() {
        var histogram = BucketHistogram()
        for bound in BucketHistogram.bounds {
            histogram.record(.nanoseconds(bound))
            histogram.record(.nanoseconds(bound + 1))
        }
        histogram.record(.nanoseconds(-1))
        let expected = [2] + [Int](repeating: 2, count: BucketHistogram.bounds.count - 1) + [1]
        #expect(histogram.counts == expected)
        #expect(histogram.count == expected.reduce(0, +))
        #expect(histogram.sum == BucketHistogram.bounds.reduce(0) { $0 + 2 * $1 + 1 })
    }
}
