import OpenAPI

/// The API that the demo serves, as an OpenAPI document with what each operation needs.
enum DemoDocument {
    static let text = """
        openapi: 3.1.0
        info: {title: Neutrino demo, version: "1"}
        x-neutrino-hold-timeout: 30
        paths:
          /v1/train:
            post:
              operationId: train
              summary: Needs a GPU.
              x-neutrino-resources: {num_cpus: 2, num_gpus: 1, memory_gb: 8}
              x-neutrino-hold-timeout: 60
          /v1/train/large:
            post:
              operationId: trainLarge
              summary: Needs both GPUs of one pod.
              x-neutrino-resources: {num_cpus: 4, num_gpus: 2, memory_gb: 24}
              x-neutrino-hold-timeout: 60
          /v1/infer/{model}:
            post:
              operationId: infer
              summary: Needs half a GPU; may be repeated on another pod.
              x-neutrino-resources: {num_cpus: 1, num_gpus: 0.5, memory_gb: 4}
              x-neutrino-retry: always
          /v1/preprocess:
            post:
              operationId: preprocess
              summary: Needs a CPU.
              x-neutrino-resources: {num_cpus: 1, num_gpus: 0, memory_gb: 1}
          /v1/stream:
            get:
              operationId: stream
              summary: Server-sent events.
              x-neutrino-resources: {num_cpus: 0.5, num_gpus: 0, memory_gb: 0.5}
        """

    /// The document, read.
    static func read() throws(OpenAPIError) -> OpenAPIDocument {
        try OpenAPIDocument.parse(Array(text.utf8), file: "demo.yaml")
    }
}
