import Admin
import Core
import Ingress
import Logging

/// What to do about a configuration that was read again: decided from the old one and the new one alone. The routes are made anew in any
/// case, since the document may have changed.
struct ReloadPlan: Equatable {
    /// The new level.
    var logLevel: Logger.Level?
    /// The new pods.
    var backends: [PodDescription]?
    /// The new tokens of operators and scrapers.
    var tokens: AdminTokens?
    /// Keys whose new values need a restart, in the table's order.
    var needsRestart: [String] = []
}

extension ReloadPlan {
    /// Why a configuration that is right by itself cannot be taken over: what needs a restart stays as it was at the start, and has to go
    /// with what does not. A listener that others can reach stays where it is, so its token must not go.
    static func problem(of new: LoadedConfiguration, since started: LoadedConfiguration) -> ConfigurationProblem? {
        let host = started.settings.adminHost
        guard !AddressBlock.isLoopback(host: host), new.settings.adminTokens.isEmpty else { return nil }
        return ConfigurationProblem(
            "admin_token: there is none, but until a restart operators are listened to on \(quoted(host)), which is not loopback",
            origin: new.origin("admin_token"),
            accepted: "ADMIN_TOKEN_FILE or ADMIN_TOKEN as long as this gateway runs"
        )
    }

    init(from old: LoadedConfiguration, to new: LoadedConfiguration) {
        self.init()
        for definition in SettingCatalogue.all where definition.show(old.settings) != definition.show(new.settings) {
            switch definition.key {
            case _ where !definition.isReloadable: needsRestart.append(definition.key)
            case "log_level": logLevel = new.settings.logLevel
            case "static_backends": backends = new.settings.staticBackends
            // Compared below, whichever of their keys they come from.
            case _ where definition.key.contains("_token"): break
            // Of routes, which are always made anew.
            default: break
            }
        }
        if old.settings.tokens != new.settings.tokens { tokens = new.settings.tokens }
    }
}
