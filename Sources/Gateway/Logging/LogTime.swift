import Foundation

/// A moment of the wall clock, written as RFC 3339 in UTC with milliseconds.
package struct LogTime: Sendable, CustomStringConvertible {
    /// Since 1970.
    var milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    @Sendable package static func now() -> LogTime {
        // Not clock_gettime(2): which C module `timespec` is from depends on what else is compiled with this file.
        LogTime(milliseconds: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down)))
    }

    package var description: String {
        let (days, ofDay) = Self.floorDivide(milliseconds, by: 86_400_000)
        // Days to a date of the Gregorian calendar: eras of 400 years, years that begin in March (H. Hinnant, "chrono-Compatible
        // Low-Level Date Algorithms", civil_from_days).
        let shifted = days + 719_468
        let (era, dayOfEra) = Self.floorDivide(shifted, by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        let civilMonth = month < 10 ? month + 3 : month - 9
        let year = yearOfEra + era * 400 + (civilMonth <= 2 ? 1 : 0)
        let date = "\(Self.pad(year, 4))-\(Self.pad(civilMonth, 2))-\(Self.pad(day, 2))"
        let seconds = ofDay / 1000
        let clock = "\(Self.pad(seconds / 3600, 2)):\(Self.pad(seconds / 60 % 60, 2)):\(Self.pad(seconds % 60, 2))"
        return "\(date)T\(clock).\(Self.pad(ofDay % 1000, 3))Z"
    }

    private static func floorDivide(_ value: Int64, by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    private static func pad(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
