# The image of Sluice: one static program, the certificates it checks others by, and a
# folder for its data. make image builds it; docs/images.md says how to run it.

# The tools of the platform that builds: Go compiles for any other.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /src

# The modules are a layer of their own: they are fetched again only when go.sum changes.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download

COPY . .
# What .git would say, which is not here: make image tells it.
ARG VERSION
ARG COMMIT
ARG DATE
# The platform that is built for, which BuildKit tells; empty is that of the tools.
ARG TARGETOS
ARG TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    GOOS="$TARGETOS" GOARCH="$TARGETARCH" make build BIN=/out VERSION="$VERSION" COMMIT="$COMMIT" DATE="$DATE"
RUN mkdir -p /data

# Nothing else is needed at run time: no shell, no libc, no zone files (they are in the
# program), no git. What is not here needs no updates and is of no use to an intruder.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/LICENSE /LICENSE
COPY --from=build /out/sluice /sluice
COPY --from=build --chown=65532:65532 /data /var/lib/sluice

ARG VERSION
ARG COMMIT
ARG DATE
LABEL org.opencontainers.image.title="Sluice" \
      org.opencontainers.image.description="Progressive delivery of application configuration from Git" \
      org.opencontainers.image.source="https://github.com/sluicehq/sluice" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION:-devel}" \
      org.opencontainers.image.revision="$COMMIT" \
      org.opencontainers.image.created="$DATE"

# sluice.yaml is read from the working directory, where there is one. Large sorts of the
# embedded database go where its data is: the root may be read-only.
WORKDIR /etc/sluice
ENV SLUICE_DATA_DIR=/var/lib/sluice SQLITE_TMPDIR=/var/lib/sluice
VOLUME ["/var/lib/sluice"]
EXPOSE 5000
# By number: nobody has a name without /etc/passwd, and runAsNonRoot of Kubernetes wants one.
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/sluice", "healthcheck"]
ENTRYPOINT ["/sluice"]
CMD ["serve"]
