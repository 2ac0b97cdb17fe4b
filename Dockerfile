# chat2api in one image: docker build -t chat2api .
FROM python:3.12-slim

# A container is reached from outside it: these win over `bind` and `port` of a YAML file.
ENV PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=5005 \
    DATA_DIR=/app/data

WORKDIR /app

# Wheels only: nothing is compiled here, and no package runs code of its own while it is installed.
COPY requirements.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --only-binary :all: --require-hashes -r requirements.txt

COPY app.py gunicorn.conf.py version.txt ./
COPY conf/app.demo.yaml conf/
COPY gateway_static/ gateway_static/
COPY chat2api/ chat2api/

# The code belongs to root and is readable whatever the umask of the checkout was.
RUN chmod -R a+rX,go-w . && python -m compileall -q chat2api

# Directories mounted from the host must belong to this user there.
RUN groupadd --gid 1000 chat2api \
    && useradd --uid 1000 --gid 1000 --no-create-home --home-dir /app --shell /usr/sbin/nologin chat2api \
    && install -d -m 700 -o chat2api -g chat2api data conf logs
USER 1000:1000

VOLUME ["/app/data", "/app/conf", "/app/logs"]
EXPOSE 5005

# No proxy for this request, whatever http_proxy says.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + os.environ['PORT'] + '/healthz', timeout=4)"]

# Running streams may finish first (DRAIN_SECONDS): stop with a longer patience than Docker's 10 s.
STOPSIGNAL SIGTERM
CMD ["python", "app.py"]
