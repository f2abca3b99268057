import TaskPod

await NeutrinoPodCommand.start()
