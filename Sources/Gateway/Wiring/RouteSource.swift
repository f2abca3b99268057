import Ingress
import OpenAPI

/// Reads what routes are made of: the OpenAPI document, the configuration's `routes:` and its defaults.
struct RouteSource {
    /// What was read, as one table.
    struct Routes {
        var table: RouteTable
        /// What is likely a mistake, in words.
        var warnings: [String]
        /// `openapi.yaml: OpenAPI 3.1.0, 12 operations`; nil without a document.
        var document: String?
    }

    private let loaded: LoadedConfiguration
    private let book: RouteBook
    private let embedded: OpenAPIDocument?

    /// - Parameters:
    ///   - book: Whose table is replaced where all is well; by default one of its own.
    ///   - embedded: The document where `openapi_spec_path` names none.
    init(_ loaded: LoadedConfiguration, book: RouteBook = RouteBook(), embedded: OpenAPIDocument? = nil) {
        self.embedded = embedded
        self.loaded = loaded
        self.book = book
    }

    /// Reads the document and makes the table.
    /// - Throws: ``GatewayError`` with file, place and cause; the book keeps the last good table.
    func read() throws(GatewayError) -> Routes {
        var document = embedded
        if let path = loaded.settings.openapiSpecPath {
            do {
                document = try OpenAPIDocument.read(path: path)
            } catch {
                throw GatewayError(.configuration, "openapi_spec_path: \(error)")
            }
        }
        do {
            return Routes(
                table: try book.load(document: document, rules: loaded.routes, defaults: loaded.routeDefaults),
                warnings: document?.warnings ?? [],
                document: document.map {
                    "\($0.file): OpenAPI \($0.version), \($0.operations.count == 1 ? "1 operation" : "\($0.operations.count) operations")"
                }
            )
        } catch {
            throw GatewayError(.configuration, error.message)
        }
    }
}
