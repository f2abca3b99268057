import Foundation
import NIOCore
import Queue

/// What is shown of a body: as text where it is text, else in base64; cut at ``shownBytes``.
package struct BodyPayload: Codable, Sendable {
    static let shownBytes = 64 * 1024

    /// Of the whole body.
    package var bytes: Int
    /// `kept`, `spooled` (in a file), `removed` (by retention).
    package var kind: String
    package var text: String?
    package var base64: String?
    /// Whether what is shown is not the whole.
    package var isCut: Bool

    /// nil for a request without a body.
    init?(_ body: LogBody, bytes: Int) {
        switch body {
        case .none: return nil
        case .kept(let buffer): self.init(buffer, bytes: bytes)
        case .spooled: self.init(kind: "spooled", bytes: bytes)
        case .removed: self.init(kind: "removed", bytes: bytes)
        }
    }

    init(_ buffer: ByteBuffer, bytes: Int) {
        let shown =
            buffer.getSlice(at: buffer.readerIndex, length: min(buffer.readableBytes, Self.shownBytes)) ?? buffer
        self.init(kind: "kept", bytes: bytes)
        isCut = shown.readableBytes < bytes
        if let text = String(validating: shown.readableBytesView, as: UTF8.self) {
            self.text = text
        } else {
            base64 = Data(shown.readableBytesView).base64EncodedString()
        }
    }

    private init(kind: String, bytes: Int) {
        self.kind = kind
        self.bytes = bytes
        isCut = kind != "kept"
    }
}
