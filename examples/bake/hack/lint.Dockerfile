# syntax=docker/dockerfile:1

ARG GO_VERSION=1.24

FROM golang:${GO_VERSION}-alpine AS base
WORKDIR /src
ENV CGO_ENABLED=0

FROM base AS lint
ARG TAGS
RUN --mount=type=bind,target=. --mount=type=cache,target=/root/.cache \
    go vet -tags "$TAGS" ./...

FROM base AS format
RUN --mount=type=bind,target=. \
    test -z "$(gofmt -l .)"

FROM base AS modules
RUN --mount=type=bind,target=. --mount=type=cache,target=/root/.cache \
    go mod verify
