/// Rows under headings, in columns that line up. Where they would be wider than the terminal, columns that can be spared are left out, then
/// long ones are cut.
struct TextTable {
    enum Alignment {
        case left
        case right
    }

    struct Column {
        var title: String
        var alignment = Alignment.left
        /// Whether its cells may be cut.
        var givesWay = false
        /// When it is left out, the lowest first; nil: never.
        var spared: Int?

        static func left(_ title: String, spared: Int? = nil) -> Column { Column(title: title, spared: spared) }
        static func right(_ title: String, spared: Int? = nil) -> Column {
            Column(title: title, alignment: .right, spared: spared)
        }
        static func long(_ title: String, spared: Int? = nil) -> Column {
            Column(title: title, givesWay: true, spared: spared)
        }
    }

    private var columns: [Column]
    private var rows: [[String]] = []

    private static let gap = 2
    /// What is left at least of a column that gives way.
    private static let narrowest = 16

    init(_ columns: [Column]) { self.columns = columns }

    var isEmpty: Bool { rows.isEmpty }

    /// Adds a row; what is in it is made visible.
    mutating func add(_ cells: [String]) {
        precondition(cells.count == columns.count, "a cell for each column")
        rows.append(cells.map { VisibleText.line($0) })
    }

    /// The lines, each ended. Columns in which there is nothing at all are left out.
    func text(width: Int?) -> String {
        var table = self
        for index in columns.indices.reversed() where rows.allSatisfy({ $0[index].isEmpty }) { table.remove(index) }
        let widths = table.widths(in: width)
        return table.lines(widths, width)
    }

    private mutating func remove(_ column: Int) {
        columns.remove(at: column)
        for row in rows.indices { rows[row].remove(at: column) }
    }

    /// Each column's width, after those that have to go are gone.
    private mutating func widths(in width: Int?) -> [Int] {
        var widths = columns.indices.map { column in
            ([columns[column].title] + rows.map { $0[column] }).map { VisibleText.width($0) }.max() ?? 0
        }
        guard let width else { return widths }
        func surplus(_ widths: [Int]) -> Int { widths.reduce(0, +) + Self.gap * (widths.count - 1) - width }
        func least(_ column: Int) -> Int {
            columns[column].givesWay ? min(widths[column], Self.narrowest) : widths[column]
        }
        while surplus(columns.indices.map(least)) > 0,
            let column = columns.indices.filter({ columns[$0].spared != nil }).min(by: {
                (columns[$0].spared ?? 0) < (columns[$1].spared ?? 0)
            })
        {
            remove(column)
            widths.remove(at: column)
        }
        for column in columns.indices.reversed() where columns[column].givesWay {
            widths[column] = max(least(column), widths[column] - max(0, surplus(widths)))
        }
        return widths
    }

    private func lines(_ widths: [Int], _ width: Int?) -> String {
        ([columns.map(\.title)] + rows).map { row in
            let line = row.indices.map { pad(row[$0], to: widths[$0], column: $0) }.joined(separator: "  ")
            let trimmed = String(line.reversed().drop { $0 == " " }.reversed())
            return (width.map { VisibleText.cut(trimmed, to: $0) } ?? trimmed) + "\n"
        }
        .joined()
    }

    private func pad(_ cell: String, to width: Int, column: Int) -> String {
        let cell = VisibleText.cut(cell, to: width)
        let space = String(repeating: " ", count: width - VisibleText.width(cell))
        return columns[column].alignment == .right ? space + cell : cell + space
    }
}
