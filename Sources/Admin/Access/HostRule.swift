import HTTPTypes

/// Which names a request may call this listener by: what keeps a web page that an operator visits from reaching it through a name of
/// its own that resolves to this machine (DNS rebinding).
struct HostRule: Sendable {
    private let allowed: Set<String>

    /// - Parameter allowed: Names or addresses beside those of loopback, without ports.
    init(allowed: [String]) {
        self.allowed = Set(allowed.map { $0.lowercased() })
    }

    func allows(_ authority: String?) -> Bool {
        guard let authority, let name = Authority(authority) else { return false }
        return name.isLoopback || allowed.contains(name.host)
    }

    /// Why a request is refused; nil where it is not. Every name that it gives must be one of ours.
    func refusal(of caller: Caller) -> AdminProblem? {
        if caller.authority != nil, caller.names.allSatisfy({ allows($0) }) { return nil }
        let wrong = caller.names.first { !allows($0) }
        return AdminProblem(
            .misdirectedRequest,
            "host_not_allowed",
            "this listener answers to names of loopback and of ADMIN_ALLOWED_HOSTS; Host was \(wrong ?? "missing")"
        )
    }
}
