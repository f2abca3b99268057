/// Why the queue cannot be opened or read, in words that name the path.
package struct QueueError: Error, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// The folder is missing, or file or folder cannot be read or written.
        case unwritable
        /// The file is no database, is another program's, or is damaged.
        case corrupt
        /// Another process has it.
        case locked
        /// It is on a file system of the network, where SQLite's locks and shared memory cannot be relied on.
        case networkMount
        /// It was written by a newer program than this one can follow.
        case tooNew
        /// A migration failed.
        case migration
        /// It is being done already, and only once at a time.
        case busy
        /// The disk has no room for it.
        case full
        /// A read took too long and was interrupted.
        case timeout
        /// Any other failure of a read or a write.
        case storage
        /// The queue was closed.
        case closed
    }

    package var code: Code
    package var message: String
    package var cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String {
        guard let cause else { return message }
        return "\(message) (\(cause))"
    }
}
