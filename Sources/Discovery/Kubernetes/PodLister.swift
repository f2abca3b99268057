import OpenAPI

/// Asks an API server for the pods that match a selector (kubernetes.io/docs/reference/using-api/api-concepts).
struct PodLister: Sendable {
    let client: KubernetesClient
    /// nil for all namespaces.
    let namespace: String?
    let selector: String

    /// All pods, page by page.
    func list() async throws(DiscoveryError) -> PodPages {
        do throws(DiscoveryError) {
            return try await pages()
        } catch {
            // The pages that are left were forgotten while the first were read: once more from the beginning.
            guard error.code == .gone else { throw error }
            return try await pages()
        }
    }

    private func pages() async throws(DiscoveryError) -> PodPages {
        var pages = PodPages()
        var count = 0
        repeat {
            let asked = pages.next
            try pages.add(page: await client.get(target(page: asked)))
            count += 1
            guard asked == nil || pages.next != asked, count <= client.limits.pages else {
                throw DiscoveryError(
                    .invalidAnswer,
                    "the API server's list does not end: \(count == client.limits.pages + 1 ? "it has more than \(count - 1) pages" : "a page is followed by itself")"
                )
            }
            guard pages.pods.count <= client.limits.pods else {
                throw DiscoveryError(
                    .invalidAnswer,
                    "more than \(client.limits.pods) pods match \(quoted(selector)): choose a narrower K8S_LABEL_SELECTOR"
                )
            }
        } while pages.next != nil
        return pages
    }

    /// Follows a watch until it ends; as ``KubernetesClient/watch(_:steadyAfter:of:_:)``.
    func watch(
        from version: String?,
        steadyAfter steady: Duration,
        of clock: any Clock<Duration>,
        _ take: (WatchNews) throws -> Void
    ) async throws {
        var target = "\(path)?watch=true&allowWatchBookmarks=true&timeoutSeconds=\(client.limits.watchSeconds)"
        target += "&labelSelector=\(Self.encoded(selector))"
        if let version { target += "&resourceVersion=\(Self.encoded(version))" }
        try await client.watch(target, steadyAfter: steady, of: clock, take)
    }

    private var path: String { namespace.map { "/api/v1/namespaces/\(Self.encoded($0))/pods" } ?? "/api/v1/pods" }

    private func target(page: String?) -> String {
        var target = "\(path)?labelSelector=\(Self.encoded(selector))&limit=\(client.limits.pageSize)"
        if let page { target += "&continue=\(Self.encoded(page))" }
        return target
    }

    /// For a query or a path segment: all but RFC 3986's unreserved characters are percent-encoded.
    static func encoded(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%\(digits.count == 1 ? "0" : "")\(digits)"
            }
        }
    }
}
