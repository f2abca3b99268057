import Hummingbird
import HummingbirdCore
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOSSL

/// The certificate that the operators' listener shows, as it is now: one that was renewed is used for every connection that begins after
/// it was read.
package final class AdminTLS: Sendable {
    /// A certificate and its key, read and found to belong together.
    package struct Identity: Sendable {
        fileprivate let context: NIOSSLContext
    }

    private let certificateFile: String
    private let keyFile: String
    private let identity: NIOLockedValueBox<Identity>

    /// - Parameters:
    ///   - certificateFile: The certificate and those between it and its authority (PEM).
    ///   - keyFile: Its private key (PEM), without a passphrase.
    /// - Throws: ``AdminError`` that names the file and what is wrong with it.
    package init(certificateFile: String, keyFile: String) throws(AdminError) {
        self.certificateFile = certificateFile
        self.keyFile = keyFile
        identity = NIOLockedValueBox(try Self.read(certificateFile, keyFile))
    }

    /// Reads the files again, and changes nothing yet.
    package func read() throws(AdminError) -> Identity { try Self.read(certificateFile, keyFile) }

    /// Shows another certificate from now on.
    package func use(_ identity: Identity) {
        self.identity.withLockedValue { $0 = identity }
    }

    var context: NIOSSLContext { identity.withLockedValue(\.context) }

    private static func read(_ certificateFile: String, _ keyFile: String) throws(AdminError) -> Identity {
        let chain: [NIOSSLCertificate] = try attempt("ADMIN_TLS_CERT_FILE: no certificates (PEM) in \(certificateFile)")
        {
            try NIOSSLCertificate.fromPEMFile(certificateFile)
        }
        let key: NIOSSLPrivateKey = try attempt(
            "ADMIN_TLS_KEY_FILE: no private key (PEM, without a passphrase) in \(keyFile)"
        ) {
            try NIOSSLPrivateKey(file: keyFile, format: .pem)
        }
        return try attempt("ADMIN_TLS_KEY_FILE: \(keyFile) is not the key of the certificate in \(certificateFile)") {
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) },
                privateKey: .privateKey(key)
            )
            configuration.minimumTLSVersion = .tlsv12
            return Identity(context: try NIOSSLContext(configuration: configuration))
        }
    }

    private static func attempt<Value>(_ message: String, _ body: () throws -> Value) throws(AdminError) -> Value {
        do {
            return try body()
        } catch {
            throw AdminError(code: .invalidCertificate, message: message, cause: error)
        }
    }
}

extension HTTPServerBuilder {
    /// HTTP/1.1, over TLS where there is a certificate.
    static func admin(_ tls: AdminTLS?, idleTimeout: TimeAmount) -> HTTPServerBuilder {
        HTTPServerBuilder { responder in
            let base = HTTP1Channel(responder: responder, configuration: .init(idleTimeout: idleTimeout))
            return AdminChannel(base: base, tls: tls)
        }
    }
}

/// Puts TLS under a connection; not HummingbirdTLS, which keeps the certificate that it was made with. And has a connection end when its
/// client closes its side, as on the traffic listener: what takes long for it (a purge) can see that it has left.
private struct AdminChannel: ServerChildChannel {
    let base: HTTP1Channel
    let tls: AdminTLS?

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        channel.eventLoop.makeCompletedFuture {
            guard let tls else { return }
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls.context))
        }
        .flatMap { channel.setOption(.allowRemoteHalfClosure, value: false) }
        .flatMap { base.setup(channel: channel, logger: logger) }
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await base.handle(value: value, logger: logger)
    }
}
