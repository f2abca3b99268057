import Admin
import Foundation
import NIOCore
import Pods

/// Calls the admin API of one gateway.
struct AdminClient: Sendable {
    /// `http://127.0.0.1:9090`
    let url: String
    let token: String?
    /// Certificates (PEM) to verify an https gateway against, in place of the machine's.
    let caFile: String?
    let http: CurlClient

    /// An answer that is no refusal.
    struct Answer: Sendable {
        var status: Int
        var location: String?
        var body: [UInt8]

        /// What `--json` prints; `null` where there is no body.
        var text: String { body.isEmpty ? "null" : String(decoding: body, as: UTF8.self) }
    }

    /// The largest answer that is taken: a request with its bodies, or a page of 500.
    private static let maximumBytes = 64 << 20

    /// What tells this gateway from others in a table.
    var name: String { String(url.drop { $0 != ":" }.drop { $0 == ":" || $0 == "/" }) }

    /// Makes a call.
    /// - Parameters:
    ///   - path: Below the gateway's URL, percent-encoded.
    ///   - body: As JSON.
    /// - Throws: ``GatewayError`` that says what is wrong and what to do: `unreachable`, or `refused` with the problem that was told.
    func call(
        _ method: String,
        _ path: String,
        query: [(String, String)] = [],
        body: (any Encodable & Sendable)? = nil,
        timeout: TimeAmount = .seconds(30)
    ) async throws(GatewayError) -> Answer {
        var request = try request(method, path, query: query, body: body)
        request.timeout = timeout
        return try await send(request)
    }

    /// Makes a call and reads its answer.
    func ask<Payload: Decodable>(
        _ type: Payload.Type,
        _ method: String,
        _ path: String,
        body: (any Encodable & Sendable)? = nil,
        timeout: TimeAmount = .seconds(30)
    ) async throws(GatewayError) -> Payload {
        try read(type, from: try await call(method, path, body: body, timeout: timeout))
    }

    /// Reads an answer.
    func read<Payload: Decodable>(_ type: Payload.Type, from answer: Answer) throws(GatewayError) -> Payload {
        do {
            return try JSON.decoder.decode(type, from: Data(answer.text.utf8))
        } catch {
            throw GatewayError(
                .unreachable,
                "\(url) answers, but not as this program's admin API (\(ProgramVersion.current)) does: is it the operators' port, of the same version?"
            )
        }
    }

    /// Takes a large answer into a file, part by part.
    func download(
        _ path: String,
        _ sink: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool
    ) async throws(GatewayError) {
        var request = try request("GET", path, query: [], body: nil)
        // It is made before it is sent, which takes as long as the database is large.
        request.timeout = .hours(24)
        request.sink = sink
        _ = try await send(request)
    }

    private func request(
        _ method: String,
        _ path: String,
        query: [(String, String)],
        body: (any Encodable & Sendable)?
    ) throws(GatewayError) -> CurlRequest {
        let pairs = query.map { "\(Self.encoded($0.0))=\(Self.encoded($0.1))" }
        var request = CurlRequest(url: url + path + (pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&")))
        request.method = method
        request.caFile = caFile
        request.maximumBytes = Self.maximumBytes
        request.keepsFields = true
        if let token { request.fields.append(("Authorization", "Bearer \(token)")) }
        if method != "GET" {
            request.fields.append(("Content-Type", "application/json"))
            do {
                request.body = if let body { Array(try JSON.encoder.encode(body)) } else { [] }
            } catch {
                throw GatewayError(.usage, "what is to be sent is not JSON", cause: error)
            }
        }
        return request
    }

    private func send(_ request: CurlRequest) async throws(GatewayError) -> Answer {
        let response: CurlResponse
        do {
            response = try await http.send(request)
        } catch {
            throw unreachable(error)
        }
        guard 200..<300 ~= response.status else { throw refused(response) }
        return Answer(status: response.status, location: response.field("Location"), body: response.body)
    }

    private func unreachable(_ error: PodsError) -> GatewayError {
        switch error.code {
        case .untrusted:
            GatewayError(
                .unreachable,
                "\(url) shows a certificate that is not trusted: \(error); name its authority's with --ca-file"
            )
        case .handshakeFailed:
            GatewayError(.unreachable, "no TLS with \(url): \(error); check the URL's scheme and --ca-file")
        case .connectFailed, .connectTimedOut:
            GatewayError(.unreachable, "no gateway answers at \(url): \(error); set ADMIN_URL or --admin-url")
        case .invalidConfiguration:
            GatewayError(.usage, "\(quoted(url)) is no URL of a gateway: \(error); http://127.0.0.1:9090 would be one")
        default:
            GatewayError(.unreachable, "\(url): \(error)")
        }
    }

    private func refused(_ response: CurlResponse) -> GatewayError {
        let problem = try? JSON.decoder.decode(ProblemPayload.self, from: Data(response.body))
        let why = problem.map { VisibleText.line($0.detail) } ?? "status \(response.status)"
        switch response.status {
        case 401:
            let hint =
                token == nil ? "give it a token: ADMIN_TOKEN_FILE or --admin-token-file" : "the token was not accepted"
            return GatewayError(.refused, "\(url) asks who you are: \(hint)")
        case 429 where problem?.reason == "too_many_failures":
            return GatewayError(.refused, "\(url): \(why)")
        case 404 where problem == nil:
            return GatewayError(.unreachable, "\(url) has no admin API: is it the operators' port?")
        case 400..<500: return GatewayError(.refused, "\(url): \(why)\(Self.help[problem?.reason ?? ""] ?? "")")
        default: return GatewayError(.unreachable, "\(url) failed: \(why)")
        }
    }

    /// What a command's flags do about a refusal, by its reason.
    private static let help = [
        "confirmation_needed": "; here: --yes, without --safe-only",
        "credentials_missing": "; here: --header-file FILE",
        "body_missing": "; here: --body-file FILE",
    ]

    /// Everything but the unreserved characters of RFC 3986 §2.3 percent-encoded: as one segment of a path, or a part of a query.
    static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
