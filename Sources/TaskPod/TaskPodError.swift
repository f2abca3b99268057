/// Why a task pod does not start, or its server cannot work.
package struct TaskPodError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// A value that is not accepted.
        case configuration
        /// The address cannot be listened on.
        case bind
        /// The server behind a sidecar took a connection, and then did not say whether it can work.
        case noAnswer
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
