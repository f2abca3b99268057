import Glibc
import NIOSSL

/// An authority of its own and a pod's certificate for `pods.example` and `localhost`, both good until 2126. Made by
/// `openssl req -x509` and `openssl x509 -req`; the keys guard nothing.
enum TestCertificates {
    static let authority = """
        -----BEGIN CERTIFICATE-----
        MIIBjDCCATOgAwIBAgIUERNt24YDxhabNipA8rVsIvm5etAwCgYIKoZIzj0EAwIw
        GzEZMBcGA1UEAwwQTmV1dHJpbm8gdGVzdCBDQTAgFw0yNjExMjMxMjI3MzVaGA8y
        MTI2MTAzMDEyMjczNVowGzEZMBcGA1UEAwwQTmV1dHJpbm8gdGVzdCBDQTBZMBMG
        ByqGSM49AgEGCCqGSM49AwEHA0IABKQUlMhVe70eNtekTrg3JCsiRypGhasu9QaY
        WI04jIuEfPr/pAk2FkCMqJHm0smWdSx98yqHCIbRnT8UfM52VB6jUzBRMB0GA1Ud
        DgQWBBRlWQMHruz0dJjsE4S/pHfnVxXQljAfBgNVHSMEGDAWgBRlWQMHruz0dJjs
        E4S/pHfnVxXQljAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIGw+
        KrTouKSH6U76JlxPTmACtaupb3pIqlg3Os+VV+4lAiAqeOCFnqSdfMBizmUpfOYT
        seY7FxDb7NVy2rTvVdNaUA==
        -----END CERTIFICATE-----
        """
    static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBnTCCAUKgAwIBAgIUSLQzlKTKYHjveEe7zAmDFOsqEsUwCgYIKoZIzj0EAwIw
        GzEZMBcGA1UEAwwQTmV1dHJpbm8gdGVzdCBDQTAgFw0yNjExMjMxMjI3MzVaGA8y
        MTI2MTAzMDEyMjczNVowFzEVMBMGA1UEAwwMcG9kcy5leGFtcGxlMFkwEwYHKoZI
        zj0CAQYIKoZIzj0DAQcDQgAE8yNstZyVuoJNmcPTBmmt+/tEtbL4JpK94NM8eFLV
        OrVfr8FXsPPXleQgK3CG/67sjnyzaGdxgUB1Bb0Lp1zYA6NmMGQwIgYDVR0RBBsw
        GYIMcG9kcy5leGFtcGxlgglsb2NhbGhvc3QwHQYDVR0OBBYEFP37ZrxU0jWxj3ZK
        mp/4R1m74saiMB8GA1UdIwQYMBaAFGVZAweu7PR0mOwThL+kd+dXFdCWMAoGCCqG
        SM49BAMCA0kAMEYCIQCZnUWv7KIoJiqwD8TR2lbS/GTeoDMuZ42eefyzyIdaEgIh
        AMhQnjG4n7FaAvYw+88Qm0V3gUNdb3gc81TYV+9sO2Vw
        -----END CERTIFICATE-----
        """
    static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgzhnUjar+eV9C2jGk
        4kEAm3q3azknjSvraQxtW+d6XsKhRANCAATzI2y1nJW6gk2Zw9MGaa37+0S1svgm
        kr3g0zx4UtU6tV+vwVew89eV5CArcIb/ruyOfLNoZ3GBQHUFvQunXNgD
        -----END PRIVATE KEY-----
        """

    /// For a pod's server.
    /// - Parameter asksClients: Whether it wants a certificate of the authority from whoever connects.
    static func server(asksClients: Bool = false) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: [.certificate(try NIOSSLCertificate(bytes: Array(certificate.utf8), format: .pem))],
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem))
        )
        if asksClients {
            configuration.certificateVerification = .noHostnameVerification
            configuration.trustRoots = .certificates([
                try NIOSSLCertificate(bytes: Array(authority.utf8), format: .pem)
            ])
        }
        return try NIOSSLContext(configuration: configuration)
    }

    /// A file with text in it, removed when `body` returns.
    static func withFile(_ text: String, _ body: (_ path: String) async throws -> Void) async throws {
        let path = "/tmp/neutrino-pods-\(UInt64.random(in: 0 ... .max)).pem"
        let descriptor = open(path, O_CREAT | O_EXCL | O_WRONLY, 0o600)
        _ = write(descriptor, text, text.utf8.count)
        close(descriptor)
        defer { unlink(path) }
        try await body(path)
    }
}
