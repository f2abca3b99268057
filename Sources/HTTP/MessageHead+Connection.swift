package import Core

extension RequestHead {
    /// Whether the client's connection may stay open after this request (RFC 9112 §9.3).
    package var keepsConnection: Bool {
        var facts = FramingFields()
        fields.forEach { facts.take(name: $0, value: $1) }
        return facts.keepsConnection(version: version)
    }

    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1; not in HTTP/1.0).
    package var expectsContinue: Bool {
        guard version == .http11 else { return false }
        var expects = false
        fields.forEach { name, value in
            if name.equalsIgnoringCase("expect"), value.equalsIgnoringCase("100-continue") { expects = true }
        }
        return expects
    }

    /// Whether it asks to switch to WebSocket (RFC 6455 §4.1), which is not spoken here.
    package var asksForWebSocket: Bool {
        var asks = false
        fields.forEach { name, value in
            guard name.equalsIgnoringCase("upgrade") else { return }
            value.forEachListMember { if $0.equalsIgnoringCase("websocket") { asks = true } }
        }
        return asks
    }
}
