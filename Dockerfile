# mer-web on a server's CPU. Not built here: no container engine was at hand.
#   docker build -t mer-live . && docker run --rm -p 127.0.0.1:8080:8080 mer-live
FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends libgl1 libxcb1 libglib2.0-0 libegl1 libgles2 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY engines engines
COPY realtime realtime
COPY training training
COPY benchmarks benchmarks
RUN pip install --no-cache-dir . && rm -rf /src/*
RUN useradd --create-home mer
USER mer
WORKDIR /home/mer
EXPOSE 8080
# Inside the container every address; outside, what `-p` opens. Other machines need --cert, --key and --token.
ENTRYPOINT ["mer-web", "--host", "0.0.0.0"]
