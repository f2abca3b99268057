/// What the demo prints once it runs.
struct DemoText {
    /// `http://127.0.0.1:8080`
    var gateway: String
    var admin: String
    /// `pod-1  http://127.0.0.1:40001  cpus=8, gpus=2, memory_gb=32`
    var pods: [String]
    var database: String

    var text: String {
        """
        Neutrino Gateway \(ProgramVersion.current), demo

          gateway    \(gateway)
          operators  \(admin)/admin
          database   \(database)
        \(pods.map { "  \($0)" }.joined(separator: "\n"))

        Try, in another terminal:

          # needs a GPU, and takes 100 ms
          curl -i -X POST '\(gateway)/v1/train?ms=100'

          # events, passed on as they come
          curl -N '\(gateway)/v1/stream?events=5&interval_ms=200'

          # what the queue wrote down
          curl -s '\(admin)/admin/api/requests?limit=2'

        Control-C ends it; what runs is finished first.

        """
    }
}
