import Foundation
import PackagePlugin

/// Has `embed-page` write a target's folder `Page` into a Swift source, so that the operators' page is in the program itself: no bundle
/// beside it, no copy of the files in the repository.
@main
struct EmbedPage: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let folder = target.directoryURL.appending(path: "Page")
        let output = context.pluginWorkDirectoryURL.appending(path: "PageFiles.swift")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        return [
            .buildCommand(
                displayName: "Embedding the operators' page",
                executable: try context.tool(named: "embed-page").url,
                arguments: [folder.path, output.path],
                inputFiles: files,
                outputFiles: [output]
            )
        ]
    }
}
