# `docker build .` makes the daemon's image; `--target demo` a simulated orchestrator on top of it.

FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No library needs its install scripts. Type declarations and source maps are never loaded.
RUN npm ci --omit=dev --ignore-scripts \
 && find node_modules -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' \) -delete

FROM node:24-bookworm-slim AS program
# Nothing is installed at run time.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
    /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn-*
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json ./
COPY config config
COPY bin bin
COPY src src
# `docker compose exec metrics snapshot` finds its command on PATH, not through ENTRYPOINT.
RUN ln -s /app/bin/metrics.js /usr/local/bin/metrics && ln -s /app/bin/snapshot.js /usr/local/bin/snapshot

# No __proto__, no writing, no child processes, no workers, no native code. Node looks for compiled code only in a folder
# that it may write to, so that one is permitted; it belongs to root, so nothing is written there either.
# --disallow-code-generation-from-strings cannot be used: the HTTP router compiles its routes. A small young generation
# costs the daemon nothing and saves a third of its memory.
ENV NODE_ENV=production \
    NODE_OPTIONS="--disable-proto=delete --max-semi-space-size=4 --permission --allow-fs-read=* --allow-fs-write=/app/.compiled" \
    NODE_COMPILE_CACHE=/app/.compiled \
    METRICS_HTTP_HOST=0.0.0.0
USER node

# What a start compiles, compiled once. By the same user and with the same options as every start: what others compiled
# is not found.
FROM program AS compiled
USER root
RUN install -d -o node -g node .compiled
USER node
# There is no database and no such address here: every command loads what it needs, and gives up. What the daemon loads
# only later is imported by name.
RUN export PGHOST=127.0.0.1 \
 && metrics config --check \
 && metrics schema \
 && for verb in snapshot history explain verify "simulate --verdicts none"; do \
      metrics $verb; [ $? -eq 3 ] || exit 1; \
    done \
 && { metrics health; [ $? -eq 1 ]; } \
 && { METRICS_HTTP_HOST=240.0.0.1 metrics run >/dev/null; [ $? -eq 2 ]; } \
 && node -e 'for (const late of ["page/document", "prometheus"]) import(`/app/src/http/${late}.ts`)'

FROM program AS daemon
COPY --from=compiled /app/.compiled .compiled
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
COPY demo demo
HEALTHCHECK NONE
ENTRYPOINT ["node", "demo/orchestrator.ts"]
CMD []
LABEL org.opencontainers.image.title="damascus-metrics-demo" \
      org.opencontainers.image.description="A simulated orchestrator that merges work items"

FROM daemon
