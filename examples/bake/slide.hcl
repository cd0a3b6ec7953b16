group “default” {
  targets = [“db”, “webapp-dev”]
}

target “webapp-dev” {
  dockerfile = "Dockerfile.webapp"
  tags = ["docker.io/username/webapp"]
}

target “webapp-release” {
  inherits = [“webapp-dev”]
  platforms = [“linux/amd64”, “linux/arm64”]
}
