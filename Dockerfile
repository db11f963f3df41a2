# `docker build .` makes the daemon's image; `--target demo` a simulated orchestrator on top of it.

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The build needs no library's install script. Of npm's Node.js there is none then: V8's caches must come from the image's.
RUN npm ci --ignore-scripts
COPY bin bin
COPY build build
COPY config config
COPY demo demo
COPY src src
RUN node build/main.ts

# One file, so that its image carries no library either.
FROM build AS orchestrator
RUN node_modules/.bin/esbuild demo/orchestrator.ts --bundle --platform=node --format=esm --external:pg-native \
    --banner:js='import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' \
    --outfile=orchestrator.mjs

FROM node:24-bookworm-slim AS daemon
# Nothing is installed at run time.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
    /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn-*
WORKDIR /app
COPY package.json ./
COPY config config
COPY bin bin
COPY --from=build /app/dist dist
# `docker compose exec metrics snapshot` finds its command on PATH, not through ENTRYPOINT.
RUN ln -s /app/bin/metrics.js /usr/local/bin/metrics && ln -s /app/bin/snapshot.js /usr/local/bin/snapshot

# No __proto__, no writing, no child processes, no workers, no native code. --disallow-code-generation-from-strings cannot
# be used: the HTTP router compiles its routes. A small young generation costs the daemon nothing and saves a third of its
# memory.
ENV NODE_ENV=production \
    NODE_OPTIONS="--disable-proto=delete --max-semi-space-size=4 --permission --allow-fs-read=*" \
    METRICS_HTTP_HOST=0.0.0.0
USER node
EXPOSE 9464
# Unhealthy: /readyz says 503 for some 45 seconds. The first start may have years of merges to record.
HEALTHCHECK --start-period=2m --start-interval=1s --interval=15s --timeout=5s --retries=3 CMD ["metrics", "health"]
ENTRYPOINT ["metrics"]
CMD ["run"]
LABEL org.opencontainers.image.title="damascus-metrics" \
      org.opencontainers.image.description="Rolling merge metrics and policy crossings for the Damascus orchestrator" \
      org.opencontainers.image.version="1.0.0" \
      org.opencontainers.image.licenses="UNLICENSED"

FROM daemon AS demo
COPY --from=orchestrator /app/orchestrator.mjs demo/
HEALTHCHECK NONE
ENTRYPOINT ["node", "demo/orchestrator.mjs"]
CMD []
LABEL org.opencontainers.image.title="damascus-metrics-demo" \
      org.opencontainers.image.description="A simulated orchestrator that merges work items"

FROM daemon
