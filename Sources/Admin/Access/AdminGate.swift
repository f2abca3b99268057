import Crypto
import Foundation
import NIOConcurrencyHelpers
package import NIOCore

/// Who may come in: the tokens, which can be changed while the gateway runs, the sessions, and who showed wrong tokens. Nothing of it
/// outlives the process.
package final class AdminGate: Sendable {
    /// What a request shows.
    struct Credentials: Sendable {
        /// The token of `Authorization: Bearer`.
        var bearer: String?
        /// The value of the session's cookie.
        var session: String?
    }

    /// Why a token is not taken.
    enum Refusal: Error, Equatable {
        case wrong
        /// Too many wrong ones came from there; none is looked at for that long.
        case tooMany(TimeAmount)
    }

    private struct State {
        var full: [SHA256.Digest] = []
        var read: [SHA256.Digest] = []
        var metrics: [SHA256.Digest] = []
        var sessions = SessionTable()
        var failures = FailureTable()

        var asksForToken: Bool { !full.isEmpty || !read.isEmpty }

        mutating func set(_ tokens: AdminTokens) {
            full = tokens.full.map(AdminGate.digest)
            read = tokens.read.map(AdminGate.digest)
            metrics = tokens.metrics.map(AdminGate.digest)
            sessions.keep(full + read)
        }

        func role(_ token: SHA256.Digest) -> AdminRole {
            if AdminGate.isAmong(full, token) { return .full }
            return AdminGate.isAmong(read, token) ? .read : .none
        }
    }

    private let state = NIOLockedValueBox(State())
    private let now: @Sendable () -> NIODeadline
    private let onLimit: @Sendable (_ address: String) -> Void

    /// - Parameters:
    ///   - now: The time, which tests set.
    ///   - onLimit: Called with an address from which no more tokens are looked at for a while.
    package init(
        _ tokens: AdminTokens,
        now: @escaping @Sendable () -> NIODeadline = { .now() },
        onLimit: @escaping @Sendable (_ address: String) -> Void = { _ in }
    ) {
        self.now = now
        self.onLimit = onLimit
        replace(tokens)
    }

    /// Takes other tokens. Sessions that were opened with one that is gone end.
    package func replace(_ tokens: AdminTokens) {
        state.withLockedValue { $0.set(tokens) }
    }

    /// Whether a token is asked for at all.
    var asksForToken: Bool { state.withLockedValue(\.asksForToken) }
    /// Whether there is a token that may do everything.
    var hasFullToken: Bool { state.withLockedValue { !$0.full.isEmpty } }
    /// Whether `/metrics` is not for everybody.
    var guardsMetrics: Bool { state.withLockedValue { !$0.metrics.isEmpty } }

    /// What a request may do. A bearer token goes before a cookie.
    func admit(_ credentials: Credentials, from address: String) throws(Refusal) -> Admission {
        if let bearer = credentials.bearer, asksForToken {
            let role = try check(bearer, from: address) { $0.role($1) }
            return Admission(role: role, by: role == .full ? .admin : .read)
        }
        let now = now()
        return state.withLockedValue { state in
            guard state.asksForToken else { return Admission(role: .full, by: .none) }
            guard let id = credentials.session, let session = state.sessions.session(Self.digest(id), now: now) else {
                return Admission()
            }
            return Admission(role: state.role(session.token), by: .session, endsIn: session.end - now)
        }
    }

    /// Whether what was admitted would be still: its token is one, its session open. For answers that take long; nothing is counted.
    func stillAdmits(_ credentials: Credentials) -> Bool {
        let now = now()
        return state.withLockedValue { state in
            guard state.asksForToken else { return true }
            if let bearer = credentials.bearer { return state.role(Self.digest(bearer)) != .none }
            guard let id = credentials.session, let session = state.sessions.session(Self.digest(id), now: now) else {
                return false
            }
            return state.role(session.token) != .none
        }
    }

    /// Whether a token opens `/metrics`; throws where it does not.
    func admitScraper(_ bearer: String, from address: String) throws(Refusal) {
        _ = try check(bearer, from: address) { $0.role($1) != .none || Self.isAmong($0.metrics, $1) ? .read : .none }
    }

    /// Opens a session.
    /// - Returns: The value of its cookie; nil where no token is asked for, so that there is nothing to log in to.
    func login(_ token: String, from address: String) throws(Refusal) -> String? {
        guard asksForToken else { return nil }
        _ = try check(token, from: address) { $0.role($1) }
        let id = Self.randomID()
        let now = now()
        state.withLockedValue { $0.sessions.open(Self.digest(id), token: Self.digest(token), now: now) }
        return id
    }

    func logout(_ id: String) {
        state.withLockedValue { $0.sessions.close(Self.digest(id)) }
    }

    /// Looks at a token, and counts it where it is wrong; in one step, so that many at once are no way around the bound.
    private func check(
        _ token: String,
        from address: String,
        _ role: (State, SHA256.Digest) -> AdminRole
    ) throws(Refusal) -> AdminRole {
        let digest = Self.digest(token)
        let now = now()
        let (result, isLast) = state.withLockedValue { state -> (Result<AdminRole, Refusal>, Bool) in
            if let wait = state.failures.wait(of: address, now: now) { return (.failure(.tooMany(wait)), false) }
            let role = role(state, digest)
            guard role == .none else { return (.success(role), false) }
            return (.failure(.wrong), state.failures.failed(address, now: now))
        }
        if isLast { onLimit(address) }
        return try result.get()
    }

    /// Digests are compared, each of them, in constant time: neither length nor content of a token shows in how long it takes.
    private static func isAmong(_ digests: [SHA256.Digest], _ digest: SHA256.Digest) -> Bool {
        digests.reduce(false) { ($1 == digest) || $0 }
    }

    private static func digest(_ text: String) -> SHA256.Digest { SHA256.hash(data: Data(text.utf8)) }

    /// 256 bits of the system's generator.
    private static func randomID() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<4).map { _ in
            let text = String(generator.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }
        .joined()
    }
}
