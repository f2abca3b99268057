import Core
import Discovery
import Testing

@Suite("The list of backends")
struct BackendListTests {
    @Test("URLs are read with default ports, white space and either case")
    func accepted() throws {
        let pods = try BackendList.parse(
            " http://10.0.0.7:8080,HTTPS://Pod-1.Example.com/ ,, http://my_pod,\thttps://[2001:DB8::1]:9443,http://[::1],"
        )
        #expect(
            pods == [
                PodDescription(scheme: .http, host: "10.0.0.7", port: 8080),
                PodDescription(scheme: .https, host: "pod-1.example.com", port: 443),
                PodDescription(scheme: .http, host: "my_pod", port: 80),
                PodDescription(scheme: .https, host: "2001:db8::1", port: 9443),
                PodDescription(scheme: .http, host: "::1", port: 80),
            ]
        )
        #expect(pods[3].id == "https://[2001:db8::1]:9443")
    }

    @Test("an empty list has no pods", arguments: ["", " ", ",", " , "])
    func empty(text: String) throws {
        #expect(try BackendList.parse(text).isEmpty)
    }

    @Test(
        "what is no pod is refused by name",
        arguments: [
            ("10.0.0.7:8080", "has no scheme"),
            ("ftp://a", "has the scheme \"ftp\"; http or https"),
            ("http://", "has no host"),
            ("http://:80", "has no host"),
            ("http://a:0", "has the port \"0\""),
            ("http://a:65536", "has the port \"65536\""),
            ("http://a:", "has the port \"\""),
            ("http://a:8o", "has the port \"8o\""),
            ("http://a:+80", "has the port \"+80\""),
            ("http://a/v1", "has the path \"/v1\""),
            ("http://a//", "has the path \"//\""),
            ("http://a?x=1", "has a query"),
            ("http://a#x", "has a fragment"),
            ("http://u:p@a", "has user information"),
            ("http://2001:db8::1", "IPv6 address without brackets"),
            ("http://[2001:db8::1", "without its closing bracket"),
            ("http://[2001:db8::g]", "not an IPv6 address"),
            ("http://[10.0.0.7]", "not an IPv6 address"),
            ("http://[::1]8080", "after its address"),
            ("http://a b", "neither a host name nor an address"),
            ("http://-a", "neither a host name nor an address"),
            ("http://a..b", "neither a host name nor an address"),
            ("http://10.0.0.256", "neither a host name nor an address"),
            ("http://1.2.3", "neither a host name nor an address"),
            ("http://a:80,HTTP://A", "is in the list twice"),
        ]
    )
    func refused(text: String, message: String) {
        let error = #expect(throws: DiscoveryError.self) { try BackendList.parse(text) }
        #expect(error?.code == .invalidConfiguration)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "nothing")")
    }
}
