import Crypto
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import Admin

/// A clock that tests set.
final class SetClock: Sendable {
    private let time = NIOLockedValueBox(NIODeadline.uptimeNanoseconds(1_000_000_000_000))

    @Sendable func now() -> NIODeadline { time.withLockedValue { $0 } }

    func advance(by amount: TimeAmount) { time.withLockedValue { $0 = $0 + amount } }
}

private let full = "full-0123456789abcdef"
private let read = "read-0123456789abcdef"
private let scraper = "scraper-0123456789abcdef"

@Suite("Who may come in")
struct AdminGateTests {
    private let clock = SetClock()
    private let limited = NIOLockedValueBox<[String]>([])

    private func gate(_ tokens: AdminTokens = AdminTokens(full: [full], read: [read], metrics: [scraper])) -> AdminGate
    {
        AdminGate(tokens, now: clock.now) { [limited] address in limited.withLockedValue { $0.append(address) } }
    }

    private func bearer(_ token: String) -> AdminGate.Credentials { AdminGate.Credentials(bearer: token) }

    @Test("a token does what its list allows")
    func tokens() throws {
        let gate = gate(AdminTokens(full: ["other-0123456789abcdef", full], read: [read]))
        #expect(try gate.admit(bearer(full), from: "a") == Admission(role: .full, by: .admin))
        #expect(try gate.admit(bearer(read), from: "a") == Admission(role: .read, by: .read))
        #expect(throws: AdminGate.Refusal.wrong) { try gate.admit(bearer(full + "x"), from: "a") }
        #expect(throws: AdminGate.Refusal.wrong) { try gate.admit(bearer(""), from: "a") }
        #expect(try gate.admit(AdminGate.Credentials(), from: "a") == Admission())
    }

    @Test("without tokens everybody may do everything, and there is nothing to log in to")
    func open() throws {
        let gate = gate(AdminTokens())
        #expect(!gate.asksForToken)
        #expect(try gate.admit(bearer("x"), from: "a") == Admission(role: .full, by: .none))
        #expect(try gate.login("x", from: "a") == nil)
    }

    @Test("a read token alone does not open what it may not do")
    func readOnly() throws {
        let gate = gate(AdminTokens(read: [read]))
        #expect(gate.asksForToken && !gate.hasFullToken)
        #expect(try gate.admit(AdminGate.Credentials(), from: "a") == Admission())
    }

    @Test("a login gives a session with its token's rights, for twelve hours, until the logout")
    func session() throws {
        let gate = gate()
        let id = try #require(try gate.login(read, from: "a"))
        #expect(id.count == 64)
        #expect(try gate.login(read, from: "a") != id)
        let shown = AdminGate.Credentials(session: id)
        #expect(try gate.admit(shown, from: "b") == Admission(role: .read, by: .session, endsIn: .hours(12)))
        clock.advance(by: .hours(12) - .nanoseconds(1))
        #expect(try gate.admit(shown, from: "b").role == .read)
        clock.advance(by: .nanoseconds(1))
        #expect(try gate.admit(shown, from: "b") == Admission())

        let other = try #require(try gate.login(full, from: "a"))
        #expect(try gate.admit(AdminGate.Credentials(session: other), from: "a").role == .full)
        gate.logout(other)
        #expect(try gate.admit(AdminGate.Credentials(session: other), from: "a") == Admission())
        #expect(throws: AdminGate.Refusal.wrong) { try gate.login(scraper, from: "a") }
    }

    @Test("a session ends with its token; those of other tokens stay")
    func replaced() throws {
        let gate = gate()
        let gone = AdminGate.Credentials(session: try gate.login(full, from: "a"))
        let kept = AdminGate.Credentials(session: try gate.login(read, from: "a"))
        gate.replace(AdminTokens(full: ["new-0123456789abcdef"], read: [read]))
        #expect(try gate.admit(gone, from: "a") == Admission())
        #expect(try gate.admit(kept, from: "a").role == .read)
        #expect(throws: AdminGate.Refusal.wrong) { try gate.admit(bearer(full), from: "a") }
        // It does not come back with the token either.
        gate.replace(AdminTokens(full: [full], read: [read]))
        #expect(try gate.admit(gone, from: "a") == Admission())
    }

    @Test("what takes long is no longer admitted once its session or its token has ended")
    func stillAdmitted() throws {
        let gate = gate()
        let session = AdminGate.Credentials(session: try gate.login(full, from: "a"))
        let other = AdminGate.Credentials(session: try gate.login(full, from: "a"))
        for credentials in [session, other, bearer(full), bearer(read)] { #expect(gate.stillAdmits(credentials)) }
        gate.logout(try #require(session.session))
        #expect(!gate.stillAdmits(session) && gate.stillAdmits(other))
        clock.advance(by: .hours(12))
        #expect(!gate.stillAdmits(other) && gate.stillAdmits(bearer(full)))
        gate.replace(AdminTokens(full: [read]))
        #expect(!gate.stillAdmits(bearer(full)) && gate.stillAdmits(bearer(read)))
        // Nothing of it counts as a wrong token.
        for _ in 0..<9 { _ = gate.stillAdmits(bearer("wrong")) }
        #expect(try gate.admit(bearer(read), from: "a").role == .full)
        #expect(self.gate(AdminTokens()).stillAdmits(AdminGate.Credentials()))
    }

    @Test("after five wrong tokens none of that address is looked at until the first is a minute old")
    func limit() throws {
        let gate = gate()
        for number in 0..<5 {
            #expect(throws: AdminGate.Refusal.wrong) {
                // A login, a call and a scrape count alike.
                switch number {
                case 0: _ = try gate.login("wrong", from: "a")
                case 1: try gate.admitScraper("wrong", from: "a")
                default: _ = try gate.admit(bearer("wrong"), from: "a")
                }
            }
            clock.advance(by: .seconds(1))
        }
        #expect(limited.withLockedValue { $0 } == ["a"])
        #expect(throws: AdminGate.Refusal.tooMany(.seconds(55))) { try gate.admit(bearer(full), from: "a") }
        #expect(throws: AdminGate.Refusal.tooMany(.seconds(55))) { try gate.login(full, from: "a") }
        #expect(try gate.admit(bearer(full), from: "b").role == .full)
        // What is turned away makes the wait no longer.
        clock.advance(by: .seconds(55))
        #expect(try gate.admit(bearer(full), from: "a").role == .full)
        #expect(throws: AdminGate.Refusal.wrong) { try gate.admit(bearer("wrong"), from: "a") }
        #expect(throws: AdminGate.Refusal.tooMany(.seconds(1))) { try gate.admit(bearer(full), from: "a") }
        #expect(limited.withLockedValue { $0 } == ["a", "a"])
    }

    @Test("a session that is open is served while its address has to wait")
    func sessionOfLimited() throws {
        let gate = gate()
        let shown = AdminGate.Credentials(session: try gate.login(full, from: "a"))
        for _ in 0..<5 { #expect(throws: AdminGate.Refusal.wrong) { try gate.login("wrong", from: "a") } }
        #expect(try gate.admit(shown, from: "a").role == .full)
        // A wrong cookie is no wrong token: nobody guesses 256 bits, and sessions end.
        for _ in 0..<9 { #expect(try gate.admit(AdminGate.Credentials(session: "x"), from: "b").role == .none) }
    }

    @Test("metrics are for everybody, unless there is a token for them; operators' tokens do too")
    func metrics() throws {
        #expect(!gate(AdminTokens(full: [full])).guardsMetrics)
        let gate = gate()
        #expect(gate.guardsMetrics)
        for token in [full, read, scraper] { try gate.admitScraper(token, from: "a") }
        #expect(throws: AdminGate.Refusal.wrong) { try gate.admitScraper("x", from: "a") }
        #expect(throws: AdminGate.Refusal.wrong) { try gate.admit(bearer(scraper), from: "a") }
    }
}

@Suite("What is remembered of callers is bounded")
struct AccessTableTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private func digest(_ number: Int) -> SHA256.Digest { SHA256.hash(data: Data("\(number)".utf8)) }

    @Test("sessions: the one that would end first goes for a new one")
    func sessions() {
        var table = SessionTable()
        for number in 0..<(SessionTable.capacity + 2) {
            table.open(digest(number), token: digest(-1), now: start + .seconds(Int64(number)))
        }
        let now = start + .hours(1)
        #expect(table.count == SessionTable.capacity)
        #expect(table.session(digest(1), now: now) == nil)
        #expect(table.session(digest(2), now: now) != nil)
        // Those that are over make room first.
        table.open(digest(-2), token: digest(-1), now: start + .hours(24))
        #expect(table.count == 1)
    }

    @Test("failures: the address that has been quiet for longest is forgotten")
    func failures() {
        var table = FailureTable()
        for number in 0...FailureTable.capacity {
            for _ in 0..<FailureTable.limit { _ = table.failed("\(number)", now: start + .milliseconds(Int64(number))) }
        }
        let now = start + .seconds(5)
        #expect(table.count == FailureTable.capacity)
        #expect(table.wait(of: "0", now: now) == nil)
        #expect(table.wait(of: "1", now: now) != nil)
        _ = table.failed("new", now: start + .minutes(10))
        #expect(table.count == 1)
    }
}
