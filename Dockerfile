# syntax=docker/dockerfile:1

# docker build --build-arg REVISION="$(git rev-parse HEAD)" -t imagebuilder_exporter .

# Both bases are indexes of several architectures. docs/releasing.md says how the digests are checked
# and kept current.
FROM rust:1.95-slim-bookworm@sha256:d7482085ff5b415f84dba5647ae71606650bdef00db7aeb69f4b3d170c3e4082 AS build
WORKDIR /src
COPY . .
# The revision in imagebuilder_exporter_build_info and in --version.
ARG REVISION=unknown
# The cache keeps compiled dependencies, so that a change compiles only our packages. It is locked,
# because builds for several platforms write to the same paths. COPY keeps the times of files, which
# can be older than the cache. Cargo compares times, hence `touch`.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,sharing=locked \
    touch build.rs src/lib.rs src/main.rs crates/*/src/lib.rs \
    && IMAGEBUILDER_EXPORTER_REVISION="$REVISION" cargo build --release --locked \
    && cp target/release/imagebuilder_exporter /imagebuilder_exporter

# It has what the program needs: the C library, certificate authorities and a non-root user. It has no
# shell and no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f
ARG REVISION=unknown
LABEL org.opencontainers.image.title="imagebuilder_exporter" \
      org.opencontainers.image.description="Prometheus exporter for EC2 Image Builder" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="gcr.io/distroless/cc-debian12:nonroot" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /imagebuilder_exporter /usr/local/bin/imagebuilder_exporter
# The configuration is looked for here as imagebuilder_exporter.yaml.
WORKDIR /etc/imagebuilder_exporter
EXPOSE 10850
# No HEALTHCHECK: what runs containers probes /-/healthy and /-/ready.
ENTRYPOINT ["/usr/local/bin/imagebuilder_exporter"]
