# One image for all services; MISSION_SERVICE says which one a container is.

FROM python:3.11-slim AS packages
RUN python -m venv /opt/packages
COPY requirements-image.lock .
RUN /opt/packages/bin/pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes \
    --requirement requirements-image.lock

FROM python:3.11-slim
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin mission
COPY --from=packages /opt/packages /opt/packages
WORKDIR /app
COPY contracts contracts
COPY shared shared
COPY infra infra
COPY services services
# Written now, because containers cannot write where the code is.
RUN python -m compileall -q .
ENV PATH=/opt/packages/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8000
# Ready, not only alive: what waits for a container wants to use it.
HEALTHCHECK --interval=15s --timeout=5s --start-period=180s --retries=3 CMD ["python", "-m", "infra.compose.health"]
# A service's package is its name with underscores; exec, so that signals reach the server.
CMD ["sh", "-c", "exec uvicorn services.$(echo $MISSION_SERVICE | tr - _).main:create_app --factory \
--host 0.0.0.0 --port 8000 --no-access-log --log-level warning --timeout-graceful-shutdown 10 \
--http shared.connections:Connection"]
