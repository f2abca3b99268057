import Pods
import Testing

@Suite("What the control plane's client is given for TLS")
struct CurlTLSTests {
    private func problem(authority: String? = nil, certificate: String, key: String) -> PodsError? {
        let tls = CurlTLS(
            authority: authority.map { Array($0.utf8) },
            certificate: Array(certificate.utf8),
            key: Array(key.utf8)
        )
        do throws(PodsError) {
            try tls.check(authority: "the authority", certificate: "the certificate", key: "the key")
            return nil
        } catch {
            return error
        }
    }

    @Test("what can be used passes; a key of another certificate does not")
    func pairs() {
        let (certificate, key) = (TestCertificates.certificate, TestCertificates.key)
        #expect(problem(authority: TestCertificates.authority, certificate: certificate, key: key) == nil)
        let swapped = problem(certificate: certificate, key: Self.encipheringKey)
        #expect(swapped?.message == "the key is not the key of the certificate in the certificate")
    }

    @Test("a certificate that TLS cannot use is not told as a wrong key")
    func unusable() {
        let error = problem(certificate: Self.enciphering, key: Self.encipheringKey)
        #expect(error?.code == .invalidConfiguration)
        #expect(
            error?.message.hasPrefix("the certificate in the certificate cannot be used: ") == true,
            "\(error?.message ?? "")"
        )
    }

    /// Its key may not sign, as a client's must: `openssl req -x509 -addext keyUsage=critical,keyEncipherment`. Guards nothing.
    private static let enciphering = """
        -----BEGIN CERTIFICATE-----
        MIIBljCCATugAwIBAgIUNR707t+RTq8ShWy0e74pX8kyizAwCgYIKoZIzj0EAwIw
        FzEVMBMGA1UEAwwMZW5jaXBoZXJtZW50MCAXDTI2MTEyNTEwNTQ0NFoYDzIxMjYx
        MTAxMTA1NDQ0WjAXMRUwEwYDVQQDDAxlbmNpcGhlcm1lbnQwWTATBgcqhkjOPQIB
        BggqhkjOPQMBBwNCAAScpUo1IgBn+jiZo9pZgHgxgjWPvN+/RBcw3H3AD0xAT5dY
        XyFllpmfNSRkDu7zL8LF6klHRRJ+RUGZ/nXQ2tsNo2MwYTAdBgNVHQ4EFgQUf7Sg
        BuYZsAgbqLb6DBeGDru5vpcwHwYDVR0jBBgwFoAUf7SgBuYZsAgbqLb6DBeGDru5
        vpcwDwYDVR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCBSAwCgYIKoZIzj0EAwID
        SQAwRgIhAP8XQ8dsYbQIHpESrDTJFRCvj35tcTEgWA/OgF+Wf7EXAiEAh7GpWIel
        QOGbEHH4zVjLopfRhn9sdzLYOccEt+xdE5w=
        -----END CERTIFICATE-----
        """
    private static let encipheringKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgrEyquDDy5FjU37k8
        70HQLez3QtdHy3/XLiH2ge21i5yhRANCAAScpUo1IgBn+jiZo9pZgHgxgjWPvN+/
        RBcw3H3AD0xAT5dYXyFllpmfNSRkDu7zL8LF6klHRRJ+RUGZ/nXQ2tsN
        -----END PRIVATE KEY-----
        """
}
