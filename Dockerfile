# `uad predict` with everything but what may not be handed on: bundle, atlas, scans and HD-BET's weights
# are mounted. Runs without a network and on a read-only root (docs/predict.md). What envs/apptainer.def
# does is the same, which a test compares.
#
#   docker build -t uad .                  # in the repository; needs a network
#
# Never built: where this repository is tested no base image can be fetched.

FROM python:3.11-slim-bookworm

COPY Makefile constraints.txt constraints-hdbet.txt constraints-deepbet.txt pyproject.toml Snakefile /opt/uad/
COPY config /opt/uad/config
COPY envs /opt/uad/envs
COPY profiles /opt/uad/profiles
COPY requirements /opt/uad/requirements
COPY src /opt/uad/src
COPY workflow /opt/uad/workflow

RUN apt-get update
RUN apt-get install -y --no-install-recommends make git
RUN PIP_NO_CACHE_DIR=1 make -C /opt/uad VENV=/opt/uad/.venv run-packages setup-hdbet setup-deepbet

# What libraries would keep in the home folder.
ENV PATH=/opt/uad/.venv/bin:$PATH
ENV PYTHONDONTWRITEBYTECODE=1
ENV XDG_CACHE_HOME=/tmp/cache
ENV MPLCONFIGDIR=/tmp/matplotlib
ENV NUMBA_CACHE_DIR=/tmp/numba

WORKDIR /work
ENTRYPOINT ["env", "PYTHONPATH=/opt/uad/src", "python", "-c", "from uad.__main__ import predict; predict()"]
