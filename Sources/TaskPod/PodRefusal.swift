import Core

/// The answers of a pod that does not take a task.
enum PodRefusal {
    /// 400: nobody can say what the request needs.
    static func writeUnreadableNeeds(to connection: PodConnection) {
        connection.refuse(
            status: 400,
            "Neutrino-Resources cannot be read; a dictionary (RFC 9651) such as \(ResourceVector(cpus: 1000, gpus: 500, memory: 16000)) can"
        )
    }

    static func write(_ refusal: AdmissionLedger.Refusal, needs: ResourceVector, to connection: PodConnection) {
        let pod = connection.pod
        let ledger = pod.snapshot()
        let message =
            switch refusal {
            case .busy where !needs.fits(in: ledger.largest): "needs more than this pod has"
            case .busy where ledger.idleWorkers == 0: "no worker is idle"
            case .busy: "not enough resources are free"
            case .draining: "the pod is shutting down"
            case .notReady: "the server behind this pod is not ready"
            }
        let body = JSONWriter.object { json in
            json.member("error", message)
            json.member("pod", pod.configuration.name)
            json.member("needs", needs)
            json.member("available", ledger.free)
        }
        connection.answer(status: 503, capacity: pod.configuration.writesCapacityField ? ledger.free : nil, body)
    }
}
