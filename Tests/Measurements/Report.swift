import Foundation
import Glibc

/// Figures as one line of JSON.
struct Report {
    private let figures: [String: Double]

    init(_ figures: [String: Double]) { self.figures = figures }

    func print() {
        let members = figures.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \(String(format: "%.3f", $0.value))" }
        Swift.print("{\(members.joined(separator: ", "))}")
    }
}

/// Wall and CPU time of this process, in seconds.
struct ProcessTimes {
    var wall: Double
    var cpu: Double

    static func now() -> ProcessTimes {
        ProcessTimes(wall: seconds(CLOCK_MONOTONIC), cpu: seconds(CLOCK_PROCESS_CPUTIME_ID))
    }

    private static func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    static func - (left: ProcessTimes, right: ProcessTimes) -> ProcessTimes {
        ProcessTimes(wall: left.wall - right.wall, cpu: left.cpu - right.cpu)
    }
}

extension [Double] {
    /// The value below which that part of them is; 0 of none.
    func quantile(_ part: Double) -> Double {
        isEmpty ? 0 : sorted()[Swift.min(Int(Double(count) * part), count - 1)]
    }
}

/// Numbers that are the same in every run.
struct Xorshift: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
