import NIOSSL

extension CurlTLS {
    /// Finds out whether all this can be used, before anybody is asked: what libcurl says of it names no file and reads as trouble of the
    /// network. It costs some milliseconds.
    /// - Parameters:
    ///   - authority: What errors call the authority's certificates: where they are from.
    ///   - certificate: What they call the client's certificate.
    ///   - key: What they call its key.
    /// - Throws: A ``PodsError`` that says which of them cannot be used, and why.
    package func check(authority: String, certificate: String, key: String) throws(PodsError) {
        if let bytes = self.authority { _ = try Self.certificates(bytes, authority) }
        guard let certificateBytes = self.certificate, let keyBytes = self.key else { return }
        let chain = try Self.certificates(certificateBytes, certificate)
        guard let privateKey = try? NIOSSLPrivateKey(bytes: keyBytes, format: .pem) else {
            throw PodsError(
                .invalidConfiguration,
                "there is no private key (PEM, without a passphrase) in \(key)"
            )
        }
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateChain = chain.map { .certificate($0) }
        configuration.privateKey = .privateKey(privateKey)
        // Nobody is verified with it: what this machine trusts must be neither there nor read.
        configuration.certificateVerification = .none
        configuration.trustRoots = .certificates([])
        do {
            _ = try NIOSSLContext(configuration: configuration)
        } catch NIOSSLError.failedToLoadPrivateKey {
            throw PodsError(.invalidConfiguration, "\(key) is not the key of the certificate in \(certificate)")
        } catch {
            throw PodsError(.invalidConfiguration, "the certificate in \(certificate) cannot be used: \(error)")
        }
    }

    private static func certificates(_ bytes: [UInt8], _ place: String) throws(PodsError) -> [NIOSSLCertificate] {
        guard let certificates = try? NIOSSLCertificate.fromPEMBytes(bytes), !certificates.isEmpty else {
            throw PodsError(.invalidConfiguration, "there is no certificate (PEM) in \(place)")
        }
        return certificates
    }
}
