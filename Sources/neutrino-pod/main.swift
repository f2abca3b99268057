print("neutrino-pod")
