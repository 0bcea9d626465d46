FROM python:3.13-slim AS build
WORKDIR /app
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY core core
COPY tenancy tenancy
COPY owner_db owner_db
COPY tenant_db tenant_db
COPY integrations integrations
COPY resolvers resolvers
COPY schema schema
COPY jobs jobs
COPY server server
RUN /venv/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13-slim
# A fixed id, so that the master key's file can be given to it: chown 10001, mode 0600.
RUN useradd --uid 10001 --create-home hazina
COPY --from=build /venv /venv
USER hazina
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
EXPOSE 8000
CMD ["hazina", "server"]
