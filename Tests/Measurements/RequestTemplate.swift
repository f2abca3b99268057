import Core
import NIOCore
import Queue

/// Requests and answers as the speed tests send them: a POST of 493 bytes with an answer of 226.
struct RequestTemplate {
    let route = Route.measured(0)
    private let target = ByteBuffer(string: "/v1/infer?stream=false")
    private let fields = HeaderFields([
        ("Host", "127.0.0.1:8080"), ("User-Agent", "measure/1"), ("Accept", "*/*"),
        ("Content-Type", "application/json"),
        ("Via", "1.1 neutrino"), ("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "127.0.0.1:8080"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ])
    private let body = ByteBuffer(repeating: UInt8(ascii: "x"), count: 493)
    private let answer = ResponseHead(
        status: 200,
        reason: "OK",
        fields: HeaderFields([
            ("Server", "nginx/1.22.1"), ("Date", "Wed, 25 Nov 2026 00:00:00 GMT"), ("Content-Type", "application/json"),
            ("Content-Length", "226"),
        ])
    )
    private let answerBody = ByteBuffer(repeating: UInt8(ascii: "y"), count: 226)

    func request(on eventLoop: any EventLoop) -> QueuedRequest {
        QueuedRequest(
            eventLoop: eventLoop,
            route: route,
            method: .post,
            target: target,
            fields: fields,
            body: .memory(body),
            needs: route.needs,
            clientAddress: "127.0.0.1",
            arrivedAt: .now(),
            sink: Nowhere()
        )
    }

    func outcome(of request: QueuedRequest) -> Outcome {
        Outcome(
            id: request.id,
            route: route,
            state: .completed,
            reason: .ok,
            status: 200,
            podID: "http://127.0.0.1:8000",
            attempts: 1,
            hold: .microseconds(120),
            firstByte: .microseconds(180),
            upstream: .microseconds(190),
            total: .microseconds(330),
            answerBytes: 226,
            answerHead: answer,
            answerBody: answerBody
        )
    }
}

/// Where an answer goes that nobody waits for.
private final class Nowhere: AnswerSink {
    func begin(_ head: ResponseHead, framing: BodyFraming, timing: AnswerTiming) {}
    func body(_ bytes: ByteBuffer) {}
    func end(trailers: HeaderFields?) {}
    func abort() {}
    func refuse(_ refusal: Refusal) {}
}

extension Route {
    /// A route without a template, with the defaults.
    static func measured(_ key: Int, needs: ResourceVector = ResourceVector(cpus: 1000, gpus: 0, memory: 1000)) -> Route
    {
        Route(
            key: key,
            id: key == 0 ? Route.defaultID : "POST /v1/tasks/\(key)",
            method: nil,
            template: nil,
            needs: needs,
            holdTimeout: Setting(.seconds(3600), from: .default),
            requestTimeout: Setting(.seconds(300), from: .default)
        )
    }
}
