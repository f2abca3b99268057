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
