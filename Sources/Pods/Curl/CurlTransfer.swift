import CCurl
import NIOCore

/// An easy handle with what it needs around it, used for one exchange after the other. On the client's thread only.
///
/// What no exchange may change is set once; what one may is set by each, so nothing is left over from the one before.
final class CurlTransfer {
    /// The most that is read of the field lines of one answer, in bytes.
    static let maximumFieldBytes = 64 * 1024

    /// How long a resolved name is remembered, in seconds.
    private static let nameLifetime = 60

    let handle: UnsafeMutableRawPointer
    private let errorText: UnsafeMutablePointer<CChar>
    private var lists: [UnsafeMutablePointer<curl_slist>] = []
    private var body: [UInt8] = []
    private var fields: [(name: String, value: String)] = []
    private var keepsFields = false
    private var sink: (@Sendable (UnsafeRawBufferPointer) -> Bool)?
    private var fieldBytes = 0
    private var maximumBytes = 0
    private var isTooLarge = false
    private var timeout = TimeAmount.zero
    private(set) var call: CurlCall?
    /// Of ``ConnectionShares``.
    private(set) var slot = 0
    private var completion: (@Sendable (Result<CurlResponse, PodsError>) -> Void)?

    init?() {
        guard let handle = curl_easy_init() else { return nil }
        self.handle = handle
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        let context = Unmanaged.passUnretained(self).toOpaque()
        set(CURLOPT_PRIVATE, pointer: context)
        set(CURLOPT_ERRORBUFFER, pointer: errorText)
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_PROXY, "")
        set(CURLOPT_NOPROXY, "*")
        set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_SSL_VERIFYPEER, 1)
        set(CURLOPT_SSL_VERIFYHOST, 2)
        set(CURLOPT_TCP_NODELAY, 1)
        // Multiplexing and waiting for another exchange's connection buy nothing here.
        set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        set(CURLOPT_USERAGENT, "neutrino-gateway")
        set(CURLOPT_BUFFERSIZE, 16 * 1024)
        set(CURLOPT_WRITEDATA, pointer: context)
        set(CURLOPT_HEADERDATA, pointer: context)
        _ = neutrino_curl_set_sink(handle, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            CurlTransfer.from(context).takeBody(UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
        _ = neutrino_curl_set_sink(handle, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            CurlTransfer.from(context).takeField(UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
    }

    deinit {
        curl_easy_cleanup(handle)
        freeLists()
        errorText.deallocate()
    }

    /// The transfer that a handle belongs to.
    static func of(_ handle: UnsafeMutableRawPointer) -> CurlTransfer {
        var context: UnsafeMutableRawPointer?
        _ = neutrino_curl_get_pointer(handle, CURLINFO_PRIVATE, &context)
        return from(context)
    }

    private static func from(_ context: UnsafeMutableRawPointer?) -> CurlTransfer {
        // Unretained: the client holds every transfer whose handle libcurl may call back from.
        Unmanaged<CurlTransfer>.fromOpaque(context!).takeUnretainedValue()
    }

    // MARK: One exchange

    /// Sets the handle up for an exchange.
    ///
    /// libcurl looks through all names that it remembers, addresses among them, at the end of each exchange whose handle lets names
    /// grow old: with thousands of pods that cost more than the exchange. So where the host is an address, only some do.
    /// - Parameters:
    ///   - connections: Where the request's connection is kept; nil for the loop's own cache. Left when the exchange ends.
    ///   - prunesNames: Whether this one does.
    func prepare(
        _ request: CurlRequest,
        connections: (slot: Int, share: UnsafeMutableRawPointer?),
        prunesNames: Bool,
        call: CurlCall,
        completion: @escaping @Sendable (Result<CurlResponse, PodsError>) -> Void
    ) {
        self.call = call
        self.completion = completion
        maximumBytes = request.maximumBytes
        timeout = request.timeout
        keepsFields = request.keepsFields
        sink = request.sink
        isTooLarge = false
        fieldBytes = 0
        errorText[0] = 0
        slot = connections.slot
        _ = neutrino_curl_set_pointer(handle, CURLOPT_SHARE, connections.share)
        set(CURLOPT_URL, request.url)
        set(CURLOPT_DNS_CACHE_TIMEOUT, request.isAddress && !prunesNames ? -1 : Self.nameLifetime)
        setMethod(request)
        set(CURLOPT_CONNECTTIMEOUT_MS, request.connectTimeout.wholeMilliseconds)
        set(CURLOPT_TIMEOUT_MS, request.timeout.wholeMilliseconds)
        set(CURLOPT_LOW_SPEED_LIMIT, request.maximumSilence == nil ? 0 : 1)
        set(CURLOPT_LOW_SPEED_TIME, request.maximumSilence ?? 0)
        // Certificates of one's own are in place of the system's, not beside them.
        let isSystems = request.caFile == nil && request.tls?.authority == nil
        set(CURLOPT_CAINFO, isSystems ? Self.system.file : request.caFile)
        set(CURLOPT_CAPATH, isSystems ? Self.system.folder : nil)
        set(CURLOPT_CAINFO_BLOB, bytes: request.tls?.authority)
        set(CURLOPT_SSLCERT_BLOB, bytes: request.tls?.certificate)
        set(CURLOPT_SSLKEY_BLOB, bytes: request.tls?.key)
        set(CURLOPT_SSLCERT, request.clientCertificate?.certificate)
        set(CURLOPT_SSLKEY, request.clientCertificate?.key)
        set(CURLOPT_CONNECT_TO, list: request.connectTo.map { ["::\($0)"] } ?? [])
        var lines = request.fields.map { "\($0.name): \($0.value)" }
        // Nobody here waits a second for "100 Continue" before a body.
        if request.body != nil { lines.append("Expect:") }
        set(CURLOPT_HTTPHEADER, list: lines)
    }

    /// Ends the exchange and hands its result over.
    func finish(_ result: Result<Void, PodsError>) {
        let completion = self.completion
        let answer = result.map {
            CurlResponse(status: status, body: body, fields: fields)
        }
        body = []
        fields = []
        sink = nil
        self.completion = nil
        call?.state = .ended
        call = nil
        set(CURLOPT_HTTPHEADER, list: [])
        set(CURLOPT_CONNECT_TO, list: [])
        freeLists()
        _ = neutrino_curl_set_pointer(handle, CURLOPT_SHARE, nil)
        completion?(answer)
    }

    /// What libcurl's code means for who asked.
    func problem(_ code: CURLcode) -> PodsError {
        if isTooLarge { return PodsError(.tooLarge, "the answer is over \(maximumBytes) bytes") }
        let text =
            errorText[0] == 0 ? String(cString: curl_easy_strerror(code)) : String(cString: errorText)
        switch code {
        case CURLE_OPERATION_TIMEDOUT where !isConnected:
            return PodsError(.connectTimedOut, "no connection in time: \(text)")
        case CURLE_OPERATION_TIMEDOUT:
            return PodsError(.timedOut, "no whole answer within \(timeout.seconds) s: \(text)")
        case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST:
            return PodsError(.connectFailed, text)
        case CURLE_PEER_FAILED_VERIFICATION:
            return PodsError(.untrusted, text)
        case CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM:
            return PodsError(.handshakeFailed, text)
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL:
            return PodsError(.invalidConfiguration, text)
        default:
            return PodsError(.transferFailed, text)
        }
    }

    private func setMethod(_ request: CurlRequest) {
        // Back to GET first: it undoes what HEAD or a body before it set.
        set(CURLOPT_HTTPGET, 1)
        set(CURLOPT_CUSTOMREQUEST, nil)
        if let body = request.body {
            _ = neutrino_curl_set_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
            body.withUnsafeBytes { bytes in
                // Copied by libcurl, as many bytes as was said just before.
                _ = neutrino_curl_set_pointer(
                    handle,
                    CURLOPT_COPYPOSTFIELDS,
                    UnsafeMutableRawPointer(mutating: bytes.baseAddress ?? UnsafeRawPointer(errorText))
                )
            }
            set(CURLOPT_CUSTOMREQUEST, request.method)
        } else if request.method == "HEAD" {
            set(CURLOPT_NOBODY, 1)
        } else if request.method != "GET" {
            set(CURLOPT_CUSTOMREQUEST, request.method)
        }
    }

    // MARK: Callbacks; another count than was given makes libcurl end the exchange

    private var status: Int {
        var status = 0
        _ = neutrino_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
        return status
    }

    /// Whether the exchange got as far as to send: until then this time is 0, and then at least 1 µs, also on a connection used again
    /// (curl.se/libcurl/c/CURLINFO_PRETRANSFER_TIME_T.html).
    private var isConnected: Bool {
        var microseconds: curl_off_t = 0
        _ = neutrino_curl_get_offset(handle, CURLINFO_PRETRANSFER_TIME_T, &microseconds)
        return microseconds > 0
    }

    private func takeBody(_ bytes: UnsafeRawBufferPointer) -> Int {
        if let sink, 200..<300 ~= status { return sink(bytes) ? bytes.count : 0 }
        guard body.count + bytes.count <= maximumBytes else {
            isTooLarge = true
            return 0
        }
        body.append(contentsOf: bytes)
        return bytes.count
    }

    /// A status line, a field line or the empty line after them.
    private func takeField(_ line: UnsafeRawBufferPointer) -> Int {
        fieldBytes += line.count
        guard fieldBytes <= Self.maximumFieldBytes else { return 0 }
        // The empty line: the head is there.
        if let sink, line.count <= 2, 200..<300 ~= status {
            guard sink(UnsafeRawBufferPointer(start: nil, count: 0)) else { return 0 }
        }
        if keepsFields, let colon = line.firstIndex(of: UInt8(ascii: ":")) {
            let value = line[line.index(after: colon)...].split(whereSeparator: { $0 == 13 || $0 == 10 }).first ?? []
            fields.append(
                (
                    String(decoding: line[..<colon], as: UTF8.self),
                    String(decoding: value.drop { $0 == 32 || $0 == 9 }, as: UTF8.self)
                )
            )
        }
        return line.count
    }

    // MARK: Options

    private func set(_ option: CURLoption, _ value: Int) { _ = neutrino_curl_set_long(handle, option, value) }

    private func set(_ option: CURLoption, _ value: String?) { _ = neutrino_curl_set_string(handle, option, value) }

    /// Copied by libcurl.
    private func set(_ option: CURLoption, bytes: [UInt8]?) {
        guard let bytes, !bytes.isEmpty else {
            _ = neutrino_curl_set_blob(handle, option, nil, 0)
            return
        }
        bytes.withUnsafeBytes { _ = neutrino_curl_set_blob(handle, option, $0.baseAddress, $0.count) }
    }

    private func set(_ option: CURLoption, pointer: UnsafeMutableRawPointer) {
        _ = neutrino_curl_set_pointer(handle, option, pointer)
    }

    /// Lists are not copied by libcurl: they live until the exchange ends.
    private func set(_ option: CURLoption, list lines: [String]) {
        var list: UnsafeMutablePointer<curl_slist>?
        for line in lines { list = curl_slist_append(list, line) }
        if let list { lists.append(list) }
        _ = neutrino_curl_set_list(handle, option, list)
    }

    private func freeLists() {
        for list in lists { curl_slist_free_all(list) }
        lists.removeAll()
    }

    /// The certificates that this libcurl was built to use: setting an option to NULL does not bring its default back.
    private static let system: (file: String?, folder: String?) = {
        // The record has these fields from CURLVERSION_SEVENTH on.
        guard let info = curl_version_info(CURLVERSION_SEVENTH),
            info.pointee.age.rawValue >= CURLVERSION_SEVENTH.rawValue
        else { return (nil, nil) }
        return (info.pointee.cainfo.map { String(cString: $0) }, info.pointee.capath.map { String(cString: $0) })
    }()
}

extension TimeAmount {
    /// As people read it.
    var seconds: Double { Double(nanoseconds) / 1e9 }

    /// At least 1: 0 means "no timeout" to libcurl and "at once" to poll(2).
    fileprivate var wholeMilliseconds: Int { max(Int((nanoseconds + 999_999) / 1_000_000), 1) }
}
