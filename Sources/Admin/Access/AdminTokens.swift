/// The secrets that callers may show.
package struct AdminTokens: Sendable, Equatable {
    /// May do everything.
    package var full: [String] = []
    /// May look, but see no bodies and change nothing.
    package var read: [String] = []
    /// May read `/metrics`, as may the others. Empty: anybody may.
    package var metrics: [String] = []

    package init(full: [String] = [], read: [String] = [], metrics: [String] = []) {
        self.full = full
        self.read = read
        self.metrics = metrics
    }
}
