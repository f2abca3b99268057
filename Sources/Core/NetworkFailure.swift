import Glibc
import NIOCore

/// Why the network failed, in words for people.
package enum NetworkFailure {
    /// The system's words for its errors (errno(3)), without the function that met one; any other error's own.
    package static func words(of error: any Error) -> String {
        guard let code = (error as? IOError)?.errnoCode else { return "\(error)" }
        return String(cString: strerror(code))
    }
}
