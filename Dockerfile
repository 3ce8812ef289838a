# mer-web on a server's CPU, or with an NVIDIA card. Not built here: no container engine was at hand.
#   docker build -t mer-live . && docker run --rm --network host mer-live --host 127.0.0.1
#   docker build --build-arg EXTRA="[gpu]" -t mer-live . && docker run --rm --gpus all --network host mer-live --host 127.0.0.1
# The picture travels by UDP ports of its own (WebRTC), which mapping port 8080 alone does not open.
FROM python:3.11-slim
ARG EXTRA=""
RUN apt-get update && apt-get install -y --no-install-recommends libgl1 libxcb1 libglib2.0-0 libegl1 libgles2 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY engines engines
COPY realtime realtime
COPY training training
COPY benchmarks benchmarks
# CUDA's libraries come with the wheels of torch and TensorRT; the driver comes from the host (NVIDIA's container toolkit).
RUN pip install --no-cache-dir ".${EXTRA}" && rm -rf /src/*
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
RUN useradd --create-home mer
USER mer
WORKDIR /home/mer
EXPOSE 8080
# Every address of the container, unless --host is given once more. Other machines need --cert, --key and --token.
ENTRYPOINT ["mer-web", "--host", "0.0.0.0"]
