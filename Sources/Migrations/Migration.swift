/// One step of the database's schema, in plain SQL. Never edited once released: what it got wrong, a later one puts right.
package struct Migration: Sendable {
    /// From 1, without gaps. The number of the newest is the program's schema generation.
    package let number: Int
    /// What it brings, in a word or two.
    package let name: String
    /// The oldest schema generation whose program can still use a database that has this step: its own number where older programs
    /// would misread or damage it, that of an earlier one where it only adds what they do not look at.
    package let oldestProgram: Int
    package let sql: String

    package init(number: Int, name: String, oldestProgram: Int, sql: String) {
        self.number = number
        self.name = name
        self.oldestProgram = oldestProgram
        self.sql = sql
    }

    /// What the database calls it.
    package var identifier: String {
        let digits = String(number)
        return "\(String(repeating: "0", count: max(0, 3 - digits.count)))\(digits)-\(name)"
    }
}
