# syntax=docker/dockerfile:1

# A service with a web interface, its tests, packages for two systems, and an image for development: written for the
# benchmarks, with a bit of everything that large Dockerfiles have.

ARG GO_VERSION=1.25
ARG NODE_VERSION=24
ARG DEBIAN_VERSION=trixie
ARG ALPINE_VERSION=3.22
ARG LINTER_VERSION=2.4.0
ARG PROTOC_VERSION=32.1

FROM --platform=$BUILDPLATFORM tonistiigi/xx:1.8.0 AS xx

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-alpine${ALPINE_VERSION} AS go-base
COPY --link --from=xx / /
RUN apk add --no-cache \
      bash \
      clang \
      file \
      git \
      lld \
      make \
      musl-dev \
      pkgconf
ENV GOFLAGS="-mod=readonly -trimpath" CGO_ENABLED=1
ENV GOTOOLCHAIN=local
WORKDIR /src

FROM go-base AS go-modules
RUN --mount=type=bind,source=go.mod,target=go.mod \
    --mount=type=bind,source=go.sum,target=go.sum \
    --mount=type=cache,target=/go/pkg/mod \
    go mod download -x

FROM go-modules AS linter
ARG LINTER_VERSION
RUN --mount=type=cache,target=/root/.cache/go-build \
    --mount=type=cache,target=/go/pkg/mod \
    go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v${LINTER_VERSION}

FROM linter AS lint
RUN --mount=type=bind,target=. \
    --mount=type=cache,target=/root/.cache \
    --mount=type=cache,target=/go/pkg/mod <<EOT
  set -eu
  golangci-lint run --timeout 10m ./...
  go vet ./...
  if [ -n "$(gofmt -l .)" ]; then
    echo >&2 "not formatted: $(gofmt -l . | tr '\n' ' ')"
    exit 1
  fi
EOT

FROM --platform=$BUILDPLATFORM debian:${DEBIAN_VERSION}-slim AS protoc
ARG PROTOC_VERSION
ARG BUILDARCH
ADD --checksum=sha256:0b0c4ae4a2d1b7b5e6bb4a59e8a4f0cd5b9c1f4b6a2d3e4f5061728394a5b6c7 \
    https://example.com/protoc/v${PROTOC_VERSION}/protoc-${PROTOC_VERSION}-linux-${BUILDARCH}.zip /tmp/protoc.zip
RUN rm -f /etc/apt/apt.conf.d/docker-clean && \
    echo 'Binary::apt::APT::Keep-Downloaded-Packages "true";' > /etc/apt/apt.conf.d/keep
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt,sharing=locked \
    apt-get update && apt-get install -y --no-install-recommends unzip
RUN unzip /tmp/protoc.zip -d /opt/protoc && ln -s /opt/protoc/bin/protoc /usr/local/bin/protoc

FROM go-modules AS generate
COPY --from=protoc /opt/protoc /opt/protoc
ENV PATH=/opt/protoc/bin:$PATH
RUN --mount=type=bind,target=.,rw \
    --mount=type=cache,target=/root/.cache/go-build \
    --mount=type=cache,target=/go/pkg/mod <<EOT
  set -e
  go install google.golang.org/protobuf/cmd/protoc-gen-go
  mkdir -p /out
  find api -name '*.proto' | xargs protoc --go_out=/out
EOT

FROM scratch AS generated
COPY --from=generate /out /

FROM --platform=$BUILDPLATFORM node:${NODE_VERSION}-alpine${ALPINE_VERSION} AS web-base
WORKDIR /web
ENV NPM_CONFIG_UPDATE_NOTIFIER=false NPM_CONFIG_FUND=false
COPY web/package.json web/package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci

FROM web-base AS web-test
COPY web ./
RUN --mount=type=secret,id=registry_token,env=REGISTRY_TOKEN npm test -- --ci

FROM web-base AS web
ARG VERSION=dev
ENV VITE_VERSION=${VERSION:-unknown}
COPY --exclude=**/*.test.ts web ./
RUN npm run build -- --outDir /out

FROM go-modules AS version
RUN --mount=type=bind,target=. <<EOT
  set -e
  VERSION=$(git describe --match 'v[0-9]*' --dirty=.m --always --tags)
  REVISION=$(git rev-parse HEAD)
  echo "-X main.version=$VERSION -X main.revision=$REVISION" | tee /tmp/ldflags
  echo -n "$VERSION" | tee /tmp/version
EOT

FROM go-modules AS build
ARG TARGETPLATFORM
ARG LDFLAGS="-s -w"
ARG BUILDTAGS
ARG GOCOVER
RUN --mount=type=bind,target=. \
    --mount=type=bind,from=web,source=/out,target=/src/internal/web/dist \
    --mount=type=bind,from=version,source=/tmp/ldflags,target=/tmp/ldflags \
    --mount=type=cache,target=/root/.cache/go-build,id=build-$TARGETPLATFORM \
    --mount=type=cache,target=/go/pkg/mod \
    --network=none <<EOT
  set -ex
  xx-go --wrap
  for name in service worker control; do
    go build ${GOCOVER:+-cover} -tags "$BUILDTAGS" -ldflags "$LDFLAGS $(cat /tmp/ldflags)" -o /usr/bin/$name ./cmd/$name
    xx-verify --static /usr/bin/$name
  done
EOT

FROM go-modules AS test
ENV SKIP_SLOW=0
RUN --mount=type=bind,target=. \
    --mount=type=cache,target=/root/.cache/go-build \
    --mount=type=cache,target=/go/pkg/mod \
    --mount=type=tmpfs,target=/tmp \
    mkdir -p /reports && \
    go test -v -coverprofile=/reports/coverage.txt -covermode=atomic ./... | tee /reports/log.txt

FROM scratch AS reports
COPY --from=test /reports /go/
COPY --from=web-test /web/coverage /web/

FROM scratch AS binaries
COPY --link --from=build /usr/bin/service /
COPY --link --from=build /usr/bin/worker /
COPY --link --from=build /usr/bin/control /

FROM debian:${DEBIAN_VERSION}-slim AS package-deb
WORKDIR /package
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt,sharing=locked \
    apt-get update && apt-get install -y --no-install-recommends build-essential debhelper
COPY --chmod=644 packaging/debian ./debian
COPY --from=binaries --chmod=755 / ./usr/bin/
ARG VERSION=0.0.0
ARG SOURCE_DATE_EPOCH
RUN dch --newversion "${VERSION#v}-1" release && dpkg-buildpackage -us -uc -b

FROM alpine:${ALPINE_VERSION} AS package-apk
RUN apk add --no-cache alpine-sdk && adduser -D builder && addgroup builder abuild
WORKDIR /home/builder
COPY --chown=builder:abuild packaging/alpine/APKBUILD ./
COPY --from=binaries --chown=builder:abuild / ./bin/
USER builder
RUN --mount=type=ssh --mount=type=secret,id=signing_key,target=/home/builder/.abuild/key.rsa,uid=1000 abuild -r

FROM scratch AS packages
COPY --from=package-deb /*.deb /deb/
COPY --from=package-apk /home/builder/packages /apk/

FROM alpine:${ALPINE_VERSION} AS image-base
RUN apk add --no-cache ca-certificates tzdata && \
    addgroup -S -g 10001 service && \
    adduser -S -D -H -u 10001 -G service service
COPY --chmod=0755 <<"EOT" /usr/local/bin/entrypoint
#!/bin/sh
set -e
if [ "$1" = "shell" ]; then
  exec /bin/sh
fi
exec "$@"
EOT
COPY <<EOT /etc/service/default.toml
[listen]
address = "0.0.0.0:8080"
[storage]
directory = "${STORAGE:-/var/lib/service}"
EOT

FROM image-base AS development
RUN apk add --no-cache bash curl delve htop strace
COPY --link --from=build /usr/bin/ /usr/local/bin/
ENV SERVICE_LOG=debug SERVICE_RELOAD=1
EXPOSE 8080 9090/tcp 40000
VOLUME /var/lib/service
WORKDIR /src
CMD ["service", "--config", "/etc/service/default.toml"]

FROM image-base AS release
ARG VERSION=dev
LABEL org.opencontainers.image.title="service" \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --link --from=binaries / /usr/local/bin/
ENV SERVICE_LOG=info
EXPOSE 8080
VOLUME ["/var/lib/service"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s CMD control health || exit 1
USER service:service
ENTRYPOINT ["/usr/local/bin/entrypoint"]
CMD ["service", "--config", "/etc/service/default.toml"]

FROM release AS all
COPY --from=packages / /packages/
COPY --from=reports / /reports/
COPY --from=generated / /generated/
COPY --from=lint /src/go.mod /lint.ok
COPY --from=development /usr/local/bin/entrypoint /usr/local/bin/entrypoint
