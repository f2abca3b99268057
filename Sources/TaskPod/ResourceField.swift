import Core

/// Reads `cpus=1, gpus=0.5, memory_gb=16`: a dictionary of a structured field (RFC 9651 §3.2) whose members are numbers.
enum ResourceField {
    /// The members that a list of field values has; a later one of the same name goes before an earlier. Names other than ours are
    /// passed over, parameters (`;…`) too.
    /// - Throws: ``ResourceFieldError`` in words.
    static func read(
        _ value: UnsafeRawBufferPointer,
        over defaults: ResourceVector
    ) throws(ResourceFieldError) -> ResourceVector {
        var needs = defaults
        var problem: ResourceFieldError?
        value.forEachListMember { member in
            guard problem == nil else { return }
            do throws(ResourceFieldError) {
                try take(member, into: &needs)
            } catch {
                problem = error
            }
        }
        if let problem { throw problem }
        return needs
    }

    private static func take(
        _ member: UnsafeRawBufferPointer,
        into needs: inout ResourceVector
    ) throws(ResourceFieldError) {
        let equals = member.firstIndex(of: UInt8(ascii: "=")) ?? member.count
        let name = UnsafeRawBufferPointer(rebasing: member[..<equals])
        let dimension = ResourceDimension.allCases.first { name.elementsEqual($0.rawValue.utf8) }
        guard let dimension else { return }
        guard equals < member.count, let amount = decimal(member[(equals + 1)...]) else {
            throw ResourceFieldError(
                "\(String(decoding: member, as: UTF8.self)) is not accepted; \(dimension.rawValue)= takes a number from 0 to "
                    + "\(Int(ResourceVector.maximumUnits)) with at most three digits after the point"
            )
        }
        switch dimension {
        case .cpus: needs.cpus = amount
        case .gpus: needs.gpus = amount
        case .memory: needs.memory = amount
        }
    }

    /// An integer or decimal (RFC 9651 §3.3.1, §3.3.2) in thousandths; nil for anything else and outside of what is accepted.
    private static func decimal(_ bytes: Slice<UnsafeRawBufferPointer>) -> Int64? {
        var (whole, fraction, digits, fractionDigits) = (Int64(0), Int64(0), 0, -1)
        loop: for byte in bytes {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                let digit = Int64(byte - UInt8(ascii: "0"))
                if fractionDigits < 0 {
                    digits += 1
                    guard digits <= 12 else { return nil }
                    whole = whole * 10 + digit
                } else {
                    fractionDigits += 1
                    guard fractionDigits <= 3 else { return nil }
                    fraction = fraction * 10 + digit
                }
            case UInt8(ascii: ".") where fractionDigits < 0 && digits > 0: fractionDigits = 0
            case UInt8(ascii: ";"): break loop
            default: return nil
            }
        }
        guard digits > 0, fractionDigits != 0, whole <= Int64(ResourceVector.maximumUnits) else { return nil }
        for _ in max(fractionDigits, 0)..<3 { fraction *= 10 }
        return whole * 1000 + fraction
    }
}

/// Why a resource field cannot be read.
struct ResourceFieldError: Error, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
