# Where the official image has them: /usr/local/bin/python, pip, and UTF-8. Debian's 3.11.2 in place of 3.11.14.
FROM debian:bookworm-slim
COPY certificates/ /usr/local/share/ca-certificates/
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3.11 python3.11-venv ca-certificates netbase tzdata \
    && rm -rf /var/lib/apt/lists/* && python3.11 -m venv /usr/local
ENV LANG=C.UTF-8 PIP_CERT=/etc/ssl/certs/ca-certificates.crt
