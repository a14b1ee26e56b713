# Bases are pinned by the digest of their multi-platform index; the tag beside it
# is for the reader. A mirror, or a base of one's own, goes in by --build-arg.
ARG BUILD_BASE=golang:1.26.8-bookworm@sha256:dc9ad6c05acc7a88e5b71bde60a5fe3bd4b9f0db209011711b464107438a8107
ARG RUN_BASE=gcr.io/distroless/static-debian13:nonroot@sha256:e2e927ec666bae08560abb3c55d0659eceabb657f56b6782ab500a9fc7f555e3

# Go cross-compiles, so the build runs on the builder's own platform.
FROM --platform=$BUILDPLATFORM ${BUILD_BASE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath \
    -ldflags "-s -w -X main.version=$VERSION" -o /adjutant ./cmd/adjutant

FROM ${RUN_BASE}
COPY --from=build /adjutant /adjutant
# By number, so that Kubernetes can tell that it is not root (runAsNonRoot).
USER 65532:65532
# gRPC, and health and metrics for the operator. By variables, so that the health check
# below asks where the server listens, whatever they are set to; they go over a file.
ENV ADJUTANT_LISTEN=:50051 ADJUTANT_ADMIN_LISTEN=:9464
EXPOSE 50051 9464
# Kept by images in Docker format only; Kubernetes has probes of its own instead.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["/adjutant", "healthcheck"]
ENTRYPOINT ["/adjutant"]
CMD ["serve"]
