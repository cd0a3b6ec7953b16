# The shape of BuildKit's own bake file, on a small Go program.
#
#   rbc bake                       the program for this machine, in bin/build
#   rbc bake binaries-cross        for every platform, in bin/cross
#   rbc bake release               archives of those, in bin/release
#   rbc bake test validate lint    everything that a change must pass
#   rbc bake image --load          the image

variable "GO_VERSION" {
  default     = null
  description = "Version of Go, if not that of the Dockerfile"
}

variable "VERSION" {
  default     = "dev"
  description = "What the program says of itself"
}

variable "DESTDIR" {
  default     = ""
  description = "Where files go, instead of directories in bin"
}

variable "LINT_PLATFORMS" {
  type        = list(string)
  default     = []
  description = "Platforms to lint for, if not only this one"
}

function "bindir" {
  params = [name]
  result = DESTDIR != "" ? DESTDIR : "./bin/${name}"
}

group "default" {
  targets = ["binaries"]
}

group "validate" {
  description = "Checks that need no compiler"
  targets     = ["validate-format", "validate-modules", "validate-dockerfile"]
}

target "_common" {
  args = {
    GO_VERSION = GO_VERSION
    VERSION    = VERSION
  }
}

target "binaries" {
  description = "The program"
  inherits    = ["_common"]
  target      = "binaries"
  output      = [bindir("build")]
}

target "binaries-cross" {
  description = "The program for every platform"
  inherits    = ["binaries"]
  output      = [bindir("cross")]
  platforms = [
    "darwin/amd64",
    "darwin/arm64",
    "linux/amd64",
    "linux/arm/v7",
    "linux/arm64",
    "linux/riscv64",
    "windows/amd64",
  ]
}

target "release" {
  description = "Archives to publish"
  inherits    = ["binaries-cross"]
  target      = "release"
  output      = [bindir("release")]
}

target "image" {
  description = "The image"
  inherits    = ["_common"]
  target      = "image"
  tags        = ["registry.example/greet:${VERSION}"]
}

target "test" {
  description = "The tests"
  inherits    = ["_common"]
  target      = "test"
  output      = ["type=cacheonly"]
}

target "lint" {
  name       = "lint-${set.name}"
  inherits   = ["_common"]
  dockerfile = "hack/lint.Dockerfile"
  target     = "lint"
  args       = { TAGS = set.tags }
  platforms  = LINT_PLATFORMS
  output     = ["type=cacheonly"]
  matrix = {
    set = [
      { name = "default", tags = "" },
      { name = "debug", tags = "debug" },
    ]
  }
}

target "validate-format" {
  inherits   = ["_common"]
  dockerfile = "hack/lint.Dockerfile"
  target     = "format"
  output     = ["type=cacheonly"]
}

target "validate-modules" {
  inherits   = ["_common"]
  dockerfile = "hack/lint.Dockerfile"
  target     = "modules"
  output     = ["type=cacheonly"]
}

target "validate-dockerfile" {
  name       = "validate-dockerfile-${md5(file)}"
  matrix     = { file = ["Dockerfile", "hack/lint.Dockerfile"] }
  dockerfile = file
  call       = "check"
}
