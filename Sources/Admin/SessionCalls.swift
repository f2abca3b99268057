import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// `POST /admin/login` and `/admin/logout`, `GET /admin/api/session`: a token for a cookie, for browsers.
struct SessionCalls: Sendable {
    let gate: AdminGate
    /// The program's.
    let version: String
    let logger: Logger

    /// A token and its quotes.
    private static let longestBody = 16 * 1024

    func add(to router: Router<AdminContext>) {
        router.post("/admin/login") { request, context in try await login(request, context) }
        router.post("/admin/logout") { request, context in
            if let session = AccessMiddleware.credentials(of: request).session { gate.logout(session) }
            return Response(status: .noContent, headers: [.setCookie: SessionCookie.gone(context.caller)])
        }
        router.get("/admin/api/session") { _, context in
            try JSON.response(
                SessionPayload(
                    role: context.role.rawValue,
                    by: context.admission.by.rawValue,
                    loginRequired: gate.asksForToken,
                    endsIn: context.admission.endsIn?.seconds,
                    version: version
                )
            )
        }
    }

    private func login(_ request: Request, _ context: AdminContext) async throws -> Response {
        let (token, isForm) = try await token(of: request)
        let session: String?
        do {
            session = try gate.login(token, from: context.caller.address)
        } catch {
            throw AdminProblem(error)
        }
        // A form's answer is what the browser shows next.
        var response =
            isForm ? Response(status: .seeOther, headers: [.location: "/admin"]) : Response(status: .noContent)
        guard let session else { return response }
        if let old = AccessMiddleware.credentials(of: request).session { gate.logout(old) }
        response.headers[.setCookie] = SessionCookie.new(session, context.caller)
        logger.notice("An operator logged in", metadata: ["client": "\(context.caller.address)"])
        return response
    }

    /// From JSON, or from a form.
    private func token(of request: Request) async throws -> (String, isForm: Bool) {
        let type = JSON.mediaType(of: request)
        let isForm = type == "application/x-www-form-urlencoded"
        guard isForm || type == "application/json" else {
            throw AdminProblem(
                .unsupportedMediaType,
                "unsupported_media_type",
                "Content-Type must be application/json: {\"token\": …}; or a form's"
            )
        }
        let bytes = try await JSON.collect(request.body, upTo: Self.longestBody)
        if isForm {
            guard let token = Self.token(ofForm: String(buffer: bytes)) else {
                throw AdminProblem.badRequest("the form has no field `token`")
            }
            return (token, true)
        }
        return (try JSON.read(LoginOrder.self, from: bytes).token, false)
    }

    /// The first field `token` (WHATWG URL §5.1). What else a form has is left alone, as in JSON.
    private static func token(ofForm text: String) -> String? {
        for field in text.split(separator: "&") {
            let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0] == "token" else { continue }
            return parts[1].replacing("+", with: " ").removingPercentEncoding
        }
        return nil
    }
}

private struct LoginOrder: Decodable {
    var token: String
}

/// The cookie of a login. Scripts do not see it, other sites' pages do not send it, and over TLS it never goes without.
enum SessionCookie {
    static let name = "neutrino_session"

    static func new(_ value: String, _ caller: Caller) -> String {
        text(value, lifetime: SessionTable.lifetime.nanoseconds / 1_000_000_000, caller)
    }

    /// Has the browser forget it.
    static func gone(_ caller: Caller) -> String { text("", lifetime: 0, caller) }

    private static func text(_ value: String, lifetime: Int64, _ caller: Caller) -> String {
        "\(name)=\(value); Path=/admin; Max-Age=\(lifetime); HttpOnly; SameSite=Strict\(caller.isSecure ? "; Secure" : "")"
    }
}
