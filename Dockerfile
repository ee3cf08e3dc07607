# One image for all services; docker-compose.yml chooses the program.
FROM rust:1-trixie AS build
WORKDIR /src
COPY . .
# The caches are not part of the image. They keep crates and compiled code between builds.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,sharing=locked \
    CARGO_PROFILE_RELEASE_STRIP=symbols cargo build --release --locked --workspace --exclude capstan-e2e --bins \
 && mkdir /out && cd target/release \
 && cp capstan capstan-demo capstan-bench capstan-scheduler capstan-worker capstan-api /out/

FROM debian:trixie-slim
LABEL org.opencontainers.image.title="capstan" \
      org.opencontainers.image.description="A background-job fleet over RabbitMQ and Redis" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
# The example actions are Python programs.
RUN apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*
WORKDIR /usr/share/capstan
# Jobs run as the second user, which owns nothing but what they make. A new volume takes over the owner and the mode of
# the directory that it is mounted on; the servers read theirs as users of their own.
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin capstan \
 && useradd --uid 10002 --no-create-home --shell /usr/sbin/nologin jobs \
 && cd /var/lib && install -d -o capstan -g capstan -m 0700 capstan/access capstan/secrets \
      capstan/secrets/scheduler capstan/secrets/worker capstan/secrets/api \
 && install -d -o capstan -g capstan -m 0755 capstan/secrets/redis capstan/secrets/rabbitmq \
 && install -d -o jobs -g jobs -m 0755 /usr/share/capstan/examples/registry/data
# Certificate authorities, for actions that use TLS; the slim image has none.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY examples/registry examples/registry
COPY examples/demo examples/demo
# The demo's job that kills its worker, and the one that then looks what is left, must run as the worker's user.
RUN mkdir /etc/capstan && cat examples/registry/actions.toml examples/demo/actions.toml \
  | sed 's/^\[actions\.\(kill_worker\|left_behind\)\].*/&\nuser = "root"/' >/etc/capstan/actions.toml
COPY --from=build /out/ /usr/local/bin/
USER 10001:10001
CMD ["capstan", "--help"]
