import Dispatcher
import Queue

/// What a call answers and an event tells, made at one place.
extension AdminServer.Subjects {
    func queuePayload() async -> QueuePayload {
        var payload = QueuePayload(await dispatcher.queueSnapshot(), waits: meter.waits)
        payload.recorded = queue.recordedRows
        payload.bytes = queue.budget.used
        payload.draining = payload.draining || readiness().isDraining
        return payload
    }

    func podsPayload() async -> PodsPayload {
        let (mode, found) = discovery()
        return PodsPayload(await dispatcher.podSnapshots(), discovery: DiscoveryPayload(mode: mode, found))
    }

    func routesPayload() -> RoutesPayload {
        let controls = settings.controls
        return RoutesPayload(routes: routes().map { RoutePayload($0, controls) })
    }
}
