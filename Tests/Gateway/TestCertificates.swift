/// Two authorities of their own, each with a certificate for `localhost` and `127.0.0.1`, good until 2126. Made by `openssl req -x509` and
/// `openssl x509 -req`; the keys guard nothing.
enum TestCertificates {
    struct Server {
        var authority: String
        var certificate: String
        var key: String
    }

    static let first = Server(
        authority: """
            -----BEGIN CERTIFICATE-----
            MIIBkTCCATegAwIBAgIUDOJzNSSNwSOfVW2XseQaRlucvDswCgYIKoZIzj0EAwIw
            HTEbMBkGA1UEAwwSTmV1dHJpbm8gdGVzdCBDQSAxMCAXDTI2MTEyNDIxMjkyNVoY
            DzIxMjYxMDMxMjEyOTI1WjAdMRswGQYDVQQDDBJOZXV0cmlubyB0ZXN0IENBIDEw
            WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQylufARS78jD5tXgYCXMMlBc/L2KKk
            rxF29LOwXQtoDwZI4IvRoa78C1l/GG130aD3ggnVkZr6J8C0PrR47z+/o1MwUTAd
            BgNVHQ4EFgQUFXUkwdlpehiPATl1MVxfSEIC18swHwYDVR0jBBgwFoAUFXUkwdlp
            ehiPATl1MVxfSEIC18swDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBF
            AiAJ+xQ+p7JHBaLoDJss8Gtm5AL0tAwazqda4nbjN8KzNgIhAIvet8RddIp76WlD
            85VzARYCwAaFuBus4j3GKNUyysn0
            -----END CERTIFICATE-----
            """,
        certificate: """
            -----BEGIN CERTIFICATE-----
            MIIBnTCCAUSgAwIBAgIUFdoRYMuBsTKM6jAcvg6m5WH/DbUwCgYIKoZIzj0EAwIw
            HTEbMBkGA1UEAwwSTmV1dHJpbm8gdGVzdCBDQSAxMCAXDTI2MTEyNDIxMjkyNVoY
            DzIxMjYxMDMwMjEyOTI1WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjO
            PQIBBggqhkjOPQMBBwNCAAT7EcNfQpTLg+Z3SYxjiVeg5tRsOGGoiKF1RgbwT5s3
            tRcQpqYC4adv8FAah+3qkaSaz8JXX5dK3ydEyCy7Lcm/o2kwZzAaBgNVHREEEzAR
            gglsb2NhbGhvc3SHBH8AAAEwCQYDVR0TBAIwADAdBgNVHQ4EFgQUNI8BDdAWCo/4
            bhKPmeVa10W6zNcwHwYDVR0jBBgwFoAUFXUkwdlpehiPATl1MVxfSEIC18swCgYI
            KoZIzj0EAwIDRwAwRAIgeEWvn6D8KxxI4ftmyDWzuleMW7iEbs+V4aieuBrSjEoC
            IHEnX5lNPBR4QW1WDJ/H2izjmUvTxLr+K1bGMz3pJYEo
            -----END CERTIFICATE-----
            """,
        key: """
            -----BEGIN PRIVATE KEY-----
            MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg83rG+5HAojtb2lDA
            p+k8eyRrR5GPwlvYiv7jY+fqmAuhRANCAAT7EcNfQpTLg+Z3SYxjiVeg5tRsOGGo
            iKF1RgbwT5s3tRcQpqYC4adv8FAah+3qkaSaz8JXX5dK3ydEyCy7Lcm/
            -----END PRIVATE KEY-----
            """
    )

    static let second = Server(
        authority: """
            -----BEGIN CERTIFICATE-----
            MIIBkTCCATegAwIBAgIUGuUaOW/CfOplozWfowA53hC4WS4wCgYIKoZIzj0EAwIw
            HTEbMBkGA1UEAwwSTmV1dHJpbm8gdGVzdCBDQSAyMCAXDTI2MTEyNDIxMjkyNVoY
            DzIxMjYxMDMxMjEyOTI1WjAdMRswGQYDVQQDDBJOZXV0cmlubyB0ZXN0IENBIDIw
            WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARlSwrO5TzkEcWgWBswy5e8xR2rt+bQ
            ehVu1WDW6bkkhifo9NVksBLkmPYebJ05/8AY2l2/G7bcznvCAtKqLyOvo1MwUTAd
            BgNVHQ4EFgQU7y2Ab2d1orBdqW9KqZpW8E52pZUwHwYDVR0jBBgwFoAU7y2Ab2d1
            orBdqW9KqZpW8E52pZUwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBF
            AiEAyIlg8LpAbA/r6arV5JC9cEPGC09tIrI9FPlaOmQKF7ICIETJ1XPhPDwdrJXa
            hup2dJ75ZTYLqH2K7YrATMWHUWkX
            -----END CERTIFICATE-----
            """,
        certificate: """
            -----BEGIN CERTIFICATE-----
            MIIBnzCCAUSgAwIBAgIUFVrgPlQjsk6dfnvIoYfpSehm9NowCgYIKoZIzj0EAwIw
            HTEbMBkGA1UEAwwSTmV1dHJpbm8gdGVzdCBDQSAyMCAXDTI2MTEyNDIxMjkyNVoY
            DzIxMjYxMDMwMjEyOTI1WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjO
            PQIBBggqhkjOPQMBBwNCAATv9PzGGQx09hlqvddgVaptArz4M3BM6s/vq1MxQNut
            0zu/u9igYr0VEXIcr12ft/iqZlr395JvEhCDlJN5NcRWo2kwZzAaBgNVHREEEzAR
            gglsb2NhbGhvc3SHBH8AAAEwCQYDVR0TBAIwADAdBgNVHQ4EFgQUrAxBRkq7xI4M
            koMZLemZJTqGjkYwHwYDVR0jBBgwFoAU7y2Ab2d1orBdqW9KqZpW8E52pZUwCgYI
            KoZIzj0EAwIDSQAwRgIhALHqkwxazohDopel9TrYEEcRuwa+B6WNHl2VPNVOxL75
            AiEAm9RCHtB9XGrF6a1baaijnub+jET1cY2MpnV7rO3U9as=
            -----END CERTIFICATE-----
            """,
        key: """
            -----BEGIN PRIVATE KEY-----
            MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAPrzH4r7P9hdgSja
            VYan78fDh7sij3zlG0JexqFZDuehRANCAATv9PzGGQx09hlqvddgVaptArz4M3BM
            6s/vq1MxQNut0zu/u9igYr0VEXIcr12ft/iqZlr395JvEhCDlJN5NcRW
            -----END PRIVATE KEY-----
            """
    )
}
