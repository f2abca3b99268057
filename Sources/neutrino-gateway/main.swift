print("neutrino-gateway")
