import Hummingbird
import Logging
import NIOCore
import Queue

/// What a caller may do.
enum AdminRole: String, Sendable {
    /// Nothing but what is open.
    case none
    /// Everything but bodies and changes.
    case read
    case full
}

/// What the calls know of their request.
struct AdminContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The other end of the connection.
    let peer: SocketAddress?
    /// Where the request comes from, as far as that can be believed.
    var caller = Caller()
    /// What the caller may do, and by what right.
    var admission = Admission()

    /// Whether the caller is still there: asked by what takes long.
    let isConnected: @Sendable () -> Bool
    /// Whether the caller may still do it: asked again by answers that take long.
    var isStillAdmitted: @Sendable () -> Bool = { true }

    var role: AdminRole { admission.role }
    /// Who asks, as the list of changes names it.
    var author: ChangeAuthor { ChangeAuthor(name: admission.by.rawValue, client: caller.address) }

    /// Of the JSON that changes something.
    var maxUploadSize: Int { 1024 * 1024 }

    init(source: ApplicationRequestContextSource) {
        let channel = source.channel
        self.init(logger: source.logger, peer: channel.remoteAddress) { channel.isActive }
    }

    init(logger: Logger, peer: SocketAddress?, isConnected: @escaping @Sendable () -> Bool = { true }) {
        coreContext = CoreRequestContextStorage(source: LoggerSource(logger: logger))
        self.peer = peer
        self.isConnected = isConnected
    }

    private struct LoggerSource: RequestContextSource {
        var logger: Logger
    }
}

/// By what right a request is served: what the list of changes names as `by`.
struct Admission: Sendable, Equatable {
    /// How the caller showed who it is.
    enum Means: String, Sendable {
        /// Not at all: no token is set, or the call needs none.
        case none
        /// The token that may do everything.
        case admin
        /// The token that may look.
        case read
        /// The cookie of a login.
        case session
    }

    var role = AdminRole.none
    var by = Means.none
    /// Until a session ends by itself.
    var endsIn: TimeAmount?
}
