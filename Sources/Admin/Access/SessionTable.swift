import Crypto
import NIOCore

/// The logins that are open, by the digest of their cookie's value: who reads this process's memory by some mistake of ours gets
/// no cookie that opens anything.
struct SessionTable {
    struct Session: Equatable {
        /// Of the token that it was opened with: a session ends when its token is no longer one.
        var token: SHA256.Digest
        var end: NIODeadline
    }

    static let lifetime = TimeAmount.hours(12)
    /// Sessions at once; the one that would end first goes for a new one.
    static let capacity = 1024

    private var sessions: [SHA256.Digest: Session] = [:]

    var count: Int { sessions.count }

    mutating func open(_ id: SHA256.Digest, token: SHA256.Digest, now: NIODeadline) {
        if sessions.count >= Self.capacity {
            sessions = sessions.filter { $0.value.end > now }
            if sessions.count >= Self.capacity, let first = sessions.min(by: { $0.value.end < $1.value.end }) {
                sessions[first.key] = nil
            }
        }
        sessions[id] = Session(token: token, end: now + Self.lifetime)
    }

    func session(_ id: SHA256.Digest, now: NIODeadline) -> Session? {
        guard let session = sessions[id], session.end > now else { return nil }
        return session
    }

    mutating func close(_ id: SHA256.Digest) { sessions[id] = nil }

    /// Ends those whose token is none of these.
    mutating func keep(_ tokens: [SHA256.Digest]) {
        sessions = sessions.filter { tokens.contains($0.value.token) }
    }
}
