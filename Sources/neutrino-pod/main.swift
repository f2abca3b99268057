import TaskPod

await NeutrinoPodCommand.main()
