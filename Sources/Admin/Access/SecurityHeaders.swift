import HTTPTypes
import Hummingbird

/// What every answer of this listener tells browsers: load nothing from elsewhere, and no script or style that is in the document itself,
/// so that what a client sent cannot become either, even if the page had a mistake; show it in no frame, take it for nothing but what it says
/// it is, and keep no copy.
///
/// There is no Strict-Transport-Security: it holds for all ports of a host, and clients' port has no TLS of its own.
struct SecurityHeaders: RouterMiddleware {
    typealias Context = AdminContext

    private static let fields: [(HTTPField.Name, String)] = [
        (
            .contentSecurityPolicy,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
                + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
        (.xContentTypeOptions, "nosniff"),
        (.xFrameOptions, "DENY"),
        // Not no-referrer, with which browsers send `Origin: null` with our own forms.
        (.referrerPolicy, "same-origin"),
        (.crossOriginOpenerPolicy, "same-origin"),
        (.crossOriginResourcePolicy, "same-origin"),
    ]

    func handle(
        _ request: Request,
        context: AdminContext,
        next: @concurrent (Request, AdminContext) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        for (name, value) in Self.fields { response.headers[name] = value }
        if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
        return response
    }
}

extension HTTPField.Name {
    static let xFrameOptions = HTTPField.Name("X-Frame-Options")!
    static let referrerPolicy = HTTPField.Name("Referrer-Policy")!
    static let crossOriginOpenerPolicy = HTTPField.Name("Cross-Origin-Opener-Policy")!
}
