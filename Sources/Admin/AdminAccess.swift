import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import Logging

/// What a request's token allows.
enum AdminRole: Sendable {
    /// Nothing but health.
    case none
    /// Everything but bodies and changes.
    case read
    case full
}

/// What the calls know of their request.
struct AdminContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    var role = AdminRole.none

    /// Of the JSON that changes something.
    var maxUploadSize: Int { 1024 * 1024 }

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
    }
}

/// Which names a request may call this listener by: what keeps a web page that an operator visits from reaching it through a name of
/// its own that resolves to this machine (DNS rebinding).
struct HostRule: Sendable {
    private let allowed: Set<String>

    init(allowed: [String]) {
        self.allowed = Set(allowed.map { $0.lowercased() })
    }

    func allows(_ authority: String?) -> Bool {
        guard let authority, let host = Self.host(of: authority) else { return false }
        return Self.isLoopback(host) || allowed.contains(host)
    }

    /// The host of `host:port`, in lower case, an IPv6 address without brackets; nil for what is none.
    static func host(of authority: String) -> String? {
        let text = authority.lowercased()
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || isPort(rest) else { return nil }
            return String(text[text.index(after: text.startIndex)..<end])
        }
        guard let colon = text.firstIndex(of: ":") else { return text.isEmpty ? nil : text }
        guard colon > text.startIndex, isPort(text[colon...]) else { return nil }
        return String(text[..<colon])
    }

    private static func isPort(_ text: Substring) -> Bool {
        text.first == ":" && text.dropFirst().allSatisfy { $0.isASCII && $0.isNumber } && text.count <= 6
    }

    static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}

/// Refuses requests that call the listener by a name which is not its own.
struct HostMiddleware: RouterMiddleware {
    typealias Context = AdminContext
    let rule: HostRule

    func handle(
        _ request: Request,
        context: AdminContext,
        next: @concurrent (Request, AdminContext) async throws -> Response
    ) async throws -> Response {
        guard AdminServer.openPaths.contains(request.uri.path) || rule.allows(request.head.authority) else {
            throw AdminProblem(
                .misdirectedRequest,
                "host_not_allowed",
                "this listener answers to names of loopback and of ADMIN_ALLOWED_HOSTS; Host was \(request.head.authority ?? "missing")"
            )
        }
        return try await next(request, context)
    }
}

/// Finds out what a request's token allows.
struct TokenMiddleware: RouterMiddleware {
    typealias Context = AdminContext
    private let full: [SHA256.Digest]
    private let read: [SHA256.Digest]

    init(_ configuration: AdminConfiguration) {
        full = configuration.tokens.map { SHA256.hash(data: Data($0.utf8)) }
        read = configuration.readTokens.map { SHA256.hash(data: Data($0.utf8)) }
    }

    func handle(
        _ request: Request,
        context: AdminContext,
        next: @concurrent (Request, AdminContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.role = role(of: request)
        if context.role == .none, !AdminServer.openPaths.contains(request.uri.path), !PageCalls.isPage(request.uri.path)
        {
            var problem = AdminProblem(
                .unauthorized,
                "unauthorized",
                "this call needs the header `Authorization: Bearer TOKEN`"
            )
            problem.fields[.wwwAuthenticate] = "Bearer realm=\"neutrino-gateway\""
            throw problem
        }
        let changes = request.method != .get && request.method != .head
        if context.role == .read, changes {
            throw AdminProblem(.forbidden, "forbidden", "this token may look, not change")
        }
        return try await next(request, context)
    }

    /// Digests are compared, in constant time, so that neither length nor content of a token shows in how long it takes.
    private func role(of request: Request) -> AdminRole {
        if full.isEmpty, read.isEmpty { return .full }
        guard let field = request.headers[.authorization] else { return .none }
        let parts = field.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return .none }
        let digest = SHA256.hash(data: Data(parts[1].utf8))
        if full.contains(where: { $0 == digest }) { return .full }
        return read.contains(where: { $0 == digest }) ? .read : .none
    }
}
