import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// `GET /admin` and `/admin/assets/…`: the operators' page. It holds no data, so it needs no token; what it shows it asks the API for.
struct PageCalls: Sendable {
    static let path = "/admin"
    static let assets = "/admin/assets/"

    func add(to router: Router<AdminContext>) {
        let document = PageFile.all["index.html"]
        // What a person types first.
        router.get("/") { _, _ in Response(status: .seeOther, headers: [.location: Self.path]) }
        router.get("\(Self.path)") { request, _ in try Self.answer(document, to: request) }
        router.get("\(Self.assets):name") { request, context in
            try Self.answer(PageFile.all[context.parameters.require("name")], to: request)
        }
    }

    /// Whether a path is the page's, one of its parts', or leads to it.
    static func isPage(_ path: String) -> Bool {
        path == "/" || path == Self.path || path == Self.path + "/" || path.hasPrefix(assets)
    }

    static func answer(_ file: PageFile?, to request: Request) throws -> Response {
        guard let file else { throw AdminProblem.notFound("the page has no part \(request.uri.path)") }
        var headers: HTTPFields = [.eTag: file.tag, .cacheControl: "no-cache"]
        let known = request.headers[values: .ifNoneMatch].flatMap { $0.split(separator: ",") }
            .map { $0.trimmingCharacters(in: .whitespaces) }
        if known.contains(where: { $0 == file.tag || $0 == "W/\(file.tag)" || $0 == "*" }) {
            return Response(status: .notModified, headers: headers)
        }
        headers[.contentType] = file.type
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: file.bytes))
    }
}

/// A file of the page, as it is sent.
struct PageFile: Sendable {
    let bytes: ByteBuffer
    let type: String
    /// Of its content, so that a browser asks again after an update, and gets 304 otherwise.
    let tag: String

    /// By name.
    static let all: [String: PageFile] = Dictionary(
        uniqueKeysWithValues: PageFiles.all.map { ($0.name, PageFile(name: $0.name, text: $0.text)) }
    )

    private init(name: String, text: StaticString) {
        bytes = ByteBuffer(staticString: text)
        type =
            switch name.split(separator: ".").last {
            case "html": "text/html; charset=utf-8"
            case "css": "text/css; charset=utf-8"
            case "svg": "image/svg+xml"
            default: "text/javascript; charset=utf-8"
            }
        let digest = SHA256.hash(data: Data(bytes.readableBytesView))
        tag = "\"" + digest.prefix(12).map { String(format: "%02x", $0) }.joined() + "\""
    }
}
