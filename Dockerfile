# Pages, then the wheel, then a small image that runs as nobody.
FROM node:22-bookworm-slim AS pages
WORKDIR /src/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY web/ ./
RUN npm run build

FROM python:3.11-slim-bookworm AS wheel
WORKDIR /src
COPY requirements/serve.txt requirements/serve.txt
RUN python -m venv /opt/livemon \
 && /opt/livemon/bin/pip install --no-cache-dir --require-hashes -r requirements/serve.txt
COPY pyproject.toml README.md LICENSE ./
COPY livemon/ livemon/
COPY sip_bridge/ sip_bridge/
COPY --from=pages /src/livemon/pages/ livemon/pages/
RUN /opt/livemon/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/livemon --create-home livemon
COPY --from=wheel /opt/livemon /opt/livemon
ENV PATH=/opt/livemon/bin:$PATH PYTHONUNBUFFERED=1
USER livemon
WORKDIR /var/lib/livemon
VOLUME /var/lib/livemon
# Pages and API; the one UDP port of all supervisors; the WebSocket for networks without UDP. The bridge is in the same
# image: `sip-bridge --config FILE`. Behind TLS set LIVEMON_HEALTH to an address that answers without it.
EXPOSE 8080/tcp 7878/udp 7879/tcp
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(os.environ.get('LIVEMON_HEALTH', 'http://127.0.0.1:8080/healthz'), timeout=2)"]
CMD ["livemon", "serve", "--config", "/etc/livemon/livemon.toml"]
