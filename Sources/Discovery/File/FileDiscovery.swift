package import Core

/// The pods that a file lists (``PodList``), looked at again and again; what a broken file said last stays.
///
/// The file is read each time and compared by its bytes: it is small, and a ConfigMap's or an editor's way of replacing it makes no
/// difference. One that is written in place may be read half: broken, it is refused and read at the next look; cut at the end of a line it
/// is a shorter list, and what it lacks is gone until the next look. Hence the advice to replace it (docs/discovery.md).
package struct FileDiscovery: PodDiscovery {
    private let path: String
    private let pause: @Sendable () async throws -> Void

    /// - Parameter pause: What is between two looks.
    package init(path: String, pause: @escaping @Sendable () async throws -> Void) {
        self.path = path
        self.pause = pause
    }

    package func run(_ report: @Sendable (DiscoveryUpdate) async -> Void) async throws {
        var pods: [PodDescription] = []
        var last: Result<String, DiscoveryError>?
        while true {
            let content = Result { () throws(DiscoveryError) in try SmallFile.text(path) }
            if !Self.isSame(content, last) {
                last = content
                var problem: String?
                do throws(DiscoveryError) {
                    pods = try PodList.parse(content.get(), file: path)
                    if pods.isEmpty { problem = "\(path) lists no pods" }
                } catch {
                    problem = error.message
                }
                await report(DiscoveryUpdate(pods: pods, problem: problem))
            }
            try await pause()
        }
    }

    private static func isSame(_ now: Result<String, DiscoveryError>, _ last: Result<String, DiscoveryError>?) -> Bool {
        switch (now, last) {
        case (.success(let now), .success(let last)): now == last
        case (.failure(let now), .failure(let last)): now.message == last.message
        default: false
        }
    }
}
