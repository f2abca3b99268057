import Core
import NIOCore
import NIOPosix

/// Sends a body that is in a file: one piece is read on the thread pool while the one before is on its way, so that memory does not grow
/// with the body. On the connection's event loop only.
final class SpooledUpload: @unchecked Sendable {
    // `@unchecked`: passes through closures of the loop's own futures.
    private let body: SpooledBody
    /// nil once the upload is over.
    private weak var connection: UpstreamConnection?
    private let loop: UpstreamLoop
    private var file: SpoolFile?
    /// Bytes handed to the connection.
    private var sent = 0
    private var isReading = false

    init(_ body: SpooledBody, connection: UpstreamConnection, loop: UpstreamLoop) {
        self.body = body
        self.connection = connection
        self.loop = loop
    }

    /// Opens the file and reads the first piece before anything is sent: where that fails, no pod has seen the request.
    func begin() { read() }

    /// Reads the next piece, where the connection can take it.
    func more() {
        guard file != nil, !isReading, sent < body.byteCount, connection?.isWritable == true else { return }
        read()
    }

    private func read() {
        isReading = true
        let (file, path, offset) = (file, body.path, sent)
        let count = min(loop.configuration.spoolChunkBytes, body.byteCount - sent)
        loop.threadPool.runIfActive(eventLoop: loop.eventLoop) {
            let file = try file ?? SpoolFile(path: path)
            return (file, try file.read(at: offset, count: count))
        }
        .assumeIsolated()
        .whenComplete { result in
            self.isReading = false
            guard let connection = self.connection, connection.isUploading(self) else { return }
            switch result {
            case .success((let file, let piece)):
                self.file = file
                let isFirst = self.sent == 0
                self.sent += piece.readableBytes
                connection.write(piece, isFirst: isFirst, isLast: self.sent == self.body.byteCount)
                self.more()
            case .failure(let error):
                connection.uploadFailed(error)
            }
        }
    }
}
