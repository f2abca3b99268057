/// What a path asks of its caller. What is not named here asks for everything: a path spelled in another way is at worst refused.
enum AdminArea: Equatable {
    /// Probes, which call by whatever name.
    case health
    /// Scrapers, the same; a token where one is set for them.
    case metrics
    /// The page and its parts, which hold no data.
    case page
    /// Calls that tell who one is, or change it.
    case session
    /// Everything else.
    case api

    init(path: String) {
        switch path {
        case "/health", "/ready": self = .health
        case "/metrics": self = .metrics
        case "/admin/login", "/admin/logout", "/admin/api/session": self = .session
        case _ where PageCalls.isPage(path): self = .page
        default: self = .api
        }
    }
}
