import HTTPTypes
import Hummingbird
import NIOCore

/// Decides for each request whether it is served, before anything of it is looked at: from where it comes, by which name, from which
/// page, with which right.
struct AccessMiddleware: RouterMiddleware {
    typealias Context = AdminContext

    let gate: AdminGate
    let callers: CallerRule
    let hosts: HostRule

    func handle(
        _ request: Request,
        context: AdminContext,
        next: @concurrent (Request, AdminContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.caller = callers.caller(of: request.head, peer: context.peer)
        if let admission = try admission(of: request, context.caller) {
            context.admission = admission
            let credentials = Self.credentials(of: request)
            context.isStillAdmitted = { [gate] in gate.stillAdmits(credentials) }
        }
        return try await next(request, context)
    }

    /// - Returns: nil where nobody asks who it is.
    /// - Throws: ``AdminProblem`` where it is not served.
    private func admission(of request: Request, _ caller: Caller) throws -> Admission? {
        let area = AdminArea(path: request.uri.path)
        switch area {
        case .health: return nil
        case .metrics:
            try admitScraper(request, caller)
            return nil
        case .page, .session, .api: break
        }
        if let refusal = hosts.refusal(of: caller) { throw refusal }
        if area == .page { return nil }
        let credentials = Self.credentials(of: request)
        let isCookieUsed = credentials.bearer == nil && credentials.session != nil
        if let refusal = OriginRule.refusal(request.head, caller, isCookieUsed: isCookieUsed) { throw refusal }
        let admission: Admission
        do {
            admission = try gate.admit(credentials, from: caller.address)
        } catch {
            throw AdminProblem(error)
        }
        guard area == .api else { return admission }
        if admission.role == .none { throw AdminProblem.unauthorized() }
        if admission.role == .read, request.method != .get, request.method != .head {
            throw AdminProblem(.forbidden, "forbidden", "this token may look, not change")
        }
        return admission
    }

    private func admitScraper(_ request: Request, _ caller: Caller) throws {
        guard gate.guardsMetrics else { return }
        guard let bearer = Self.credentials(of: request).bearer else { throw AdminProblem.unauthorized() }
        do {
            try gate.admitScraper(bearer, from: caller.address)
        } catch {
            throw AdminProblem(error)
        }
    }

    /// Other schemes than Bearer are somebody else's: a proxy's in front of us.
    static func credentials(of request: Request) -> AdminGate.Credentials {
        var credentials = AdminGate.Credentials(session: request.cookies[SessionCookie.name]?.value)
        let parts = (request.headers[.authorization] ?? "").split(separator: " ", maxSplits: 1)
        if parts.count == 2, parts[0].lowercased() == "bearer" {
            credentials.bearer = String(parts[1].drop { $0 == " " })
        }
        return credentials
    }
}

extension AdminProblem {
    init(_ refusal: AdminGate.Refusal) {
        switch refusal {
        case .wrong: self = .unauthorized("this token is none of the gateway's")
        case .tooMany(let wait):
            let seconds = max(1, Int((wait.seconds).rounded(.up)))
            self.init(
                .tooManyRequests,
                "too_many_failures",
                "\(FailureTable.limit) wrong tokens came from this address within a minute; none is looked at for \(seconds) s"
            )
            fields[.retryAfter] = "\(seconds)"
        }
    }

    static func unauthorized(
        _ detail: String = "this call needs the header `Authorization: Bearer TOKEN`, or a login: POST /admin/login"
    ) -> AdminProblem {
        var problem = AdminProblem(.unauthorized, "unauthorized", detail)
        problem.fields[.wwwAuthenticate] = "Bearer realm=\"neutrino-gateway\""
        return problem
    }
}
