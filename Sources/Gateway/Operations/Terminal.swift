import Glibc

/// Where a command prints: a terminal of some width, or a file or pipe, where nothing is cut, coloured or drawn over.
struct Terminal: Sendable {
    /// Columns; nil where nothing bounds a line.
    var width: Int?
    /// Whether somebody looks at it and can be asked.
    var isInteractive: Bool

    static let plain = Terminal(width: nil, isInteractive: false)

    /// Standard output's.
    static var current: Terminal {
        guard isatty(STDOUT_FILENO) == 1 else { return .plain }
        var size = winsize()
        let columns = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 ? Int(size.ws_col) : 0
        return Terminal(width: columns > 0 ? columns : 80, isInteractive: isatty(STDIN_FILENO) == 1)
    }

    /// To the top left, everything below cleared (ECMA-48, CUP and ED).
    static let home = "\u{1B}[H\u{1B}[J"
    /// To the line's begin, the rest of it cleared.
    static let lineStart = "\r\u{1B}[K"
}
