# syntax=docker/dockerfile:1
# codex-persistent-mcp over HTTP, with Codex. docs/http.md has the commands.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --bin codex-persistent-mcp && \
    cp target/release/codex-persistent-mcp /usr/local/bin/

FROM node:24-bookworm-slim
ARG CODEX=0.171.0
# Codex works with git, and its sandbox is bubblewrap. tini is process 1: it reaps what commands of Codex leave behind.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install --yes --no-install-recommends bubblewrap ca-certificates git tini && \
    rm -rf /var/lib/apt/lists/* && \
    npm install --global --ignore-scripts "@openai/codex@${CODEX}" && \
    npm cache clean --force
COPY --from=build /usr/local/bin/codex-persistent-mcp /usr/local/bin/

# Logins and sessions of Codex, jobs, and the code that Codex works on, all of the user "node", whose number is 1000.
ENV CODEX_HOME=/home/node/.codex \
    CODEX_PERSISTENT_MCP_STATE_DIR=/home/node/state
RUN install --directory --owner node --group node --mode 0700 /home/node/.codex /home/node/state && \
    install --directory --owner node --group node /work
VOLUME ["/home/node/.codex", "/home/node/state"]
USER 1000
WORKDIR /work

EXPOSE 8765
# Any answer will do, also the refusal of a request without a token.
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s \
    CMD ["node", "-e", "fetch('http://127.0.0.1:8765/mcp').then(() => process.exit(0), () => process.exit(1))"]
ENTRYPOINT ["tini", "--", "codex-persistent-mcp"]
# The server does not start at this address without a token, from CODEX_PERSISTENT_MCP_HTTP_TOKEN or
# CODEX_PERSISTENT_MCP_HTTP_TOKEN_FILE.
CMD ["serve", "--http", "0.0.0.0:8765"]
