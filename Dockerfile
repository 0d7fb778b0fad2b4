# syntax=docker/dockerfile:1
# Outrider's container images; docs/images.md says how to build and run them.
#   sidecar   Node, the libraries that it needs, the program; also the control plane and the command
#   init      the same with iptables and nft, for `outrider init`

# Debian or one like it: its libraries, and in `init` its iptables and nft, go into the images. Neither its shell nor its package manager does.
ARG BASE=debian:bookworm-slim
# Anything with npm and a Node that runs it: nothing of it goes into the images.
ARG BUILDER=node:26-bookworm-slim

FROM ${BUILDER} AS build
WORKDIR /build
COPY package.json package-lock.json ./
# The secret, if given, is an .npmrc: for a mirror, its token or its certificate.
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc \
    npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build \
 && mkdir -p /rootfs/usr/local/bin /rootfs/opt/outrider/bin /rootfs/opt/outrider/node_modules/@koromix \
 && cp "$(readlink -f node_modules/node-linux-*/bin/node)" /rootfs/usr/local/bin/node \
 && ln -s /opt/outrider/bin/outrider.js /rootfs/usr/local/bin/outrider \
 && cd /rootfs/opt/outrider \
 && sed '1s|.*|#!/usr/local/bin/node|' /build/bin/outrider.js > bin/outrider.js \
 && chmod 755 /rootfs/usr/local/bin/node bin/outrider.js \
 && cp -r /build/dist /build/manifests /build/package.json /build/LICENSE . \
 && cp -r /build/node_modules/koffi node_modules/ \
 && cp -r /build/node_modules/@koromix/koffi-linux-* node_modules/@koromix/ \
 && rm -rf node_modules/koffi/vendor node_modules/koffi/doc node_modules/koffi/*.d.ts node_modules/@koromix/*/musl_*

FROM ${BASE} AS files
RUN missing= \
 && for package in ca-certificates iptables libatomic1 libstdc++6 nftables; do \
      dpkg-query --show "$package" >/dev/null 2>&1 || missing="$missing $package"; \
    done \
 && if [ -n "$missing" ]; then apt-get update && apt-get install -y --no-install-recommends $missing; fi
COPY --from=build /rootfs /
WORKDIR /
# What V8 made of the program in a first run, in a place that no container can write: a start takes half the time. Made as the user that reads it.
RUN mkdir -m 777 /opt/outrider/cache /warm \
 && first() { NODE_COMPILE_CACHE=/opt/outrider/cache timeout 5 setpriv --reuid=1337 --regid=1337 --clear-groups outrider "$@" || [ $? -eq 124 ]; } \
 && first control-plane --data-dir /warm/data --rest 127.0.0.1:0 --channel 127.0.0.1:0 --metrics 127.0.0.1:0 \
 && first sidecar --control-plane https://127.0.0.1:9 --ca-file /warm/data/trust-bundle.pem --token-file /warm/data/admin-token \
      --service first --app-ports 8080 --inbound 127.0.0.1:0 --outbound 127.0.0.1:0 --admin 127.0.0.1:0 --metrics 127.0.0.1:0 \
 && chmod -R go-w /opt/outrider/cache
# What each program needs to run, at the paths where it looks for it.
RUN needs() { ldd "$@" | grep -o '/lib[^ :]*' | sort -u; } \
 && mkdir -p /sidecar/etc/ssl/certs /sidecar/tmp /init \
 && cp -L --parents $(needs /usr/local/bin/node) /sidecar \
 && cp -a --parents /usr/local/bin/node /usr/local/bin/outrider /opt/outrider /sidecar \
 && cp /etc/ssl/certs/ca-certificates.crt /sidecar/etc/ssl/certs/ \
 && printf 'root:x:0:0::/:/none\noutrider:x:1337:1337::/var/lib/outrider:/none\n' > /sidecar/etc/passwd \
 && printf 'root:x:0:\noutrider:x:1337:\n' > /sidecar/etc/group \
 && printf 'hosts: files dns\n' > /sidecar/etc/nsswitch.conf \
 && install -d -o 1337 -g 1337 -m 700 /sidecar/var/lib/outrider \
 && chmod 1777 /sidecar/tmp \
 && cp -L --parents $(needs /usr/sbin/nft /usr/sbin/xtables-nft-multi) /usr/lib/*/xtables/libxt_*.so /usr/lib/*/xtables/libipt_*.so /usr/lib/*/xtables/libip6t_*.so /init \
 && cp -a --parents /usr/sbin/nft /usr/sbin/xtables-nft-multi /init \
 && for name in iptables ip6tables iptables-save ip6tables-save iptables-restore ip6tables-restore; do \
      ln -s xtables-nft-multi "/init/usr/sbin/$name"; \
    done

FROM scratch AS sidecar
COPY --from=files /sidecar /
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="outrider" \
      org.opencontainers.image.description="A service mesh for any RPC: sidecar, control plane and command" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# A sidecar begins with these (bin/outrider.js), so it need not begin twice.
ENV NODE_OPTIONS=--max-semi-space-size=4 \
    MALLOC_ARENA_MAX=1
ENV PATH=/usr/local/bin \
    HOME=/var/lib/outrider \
    OUTRIDER_DATA_DIR=/var/lib/outrider/control-plane \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    NODE_COMPILE_CACHE=/opt/outrider/cache
WORKDIR /var/lib/outrider
USER 1337:1337
STOPSIGNAL SIGTERM
EXPOSE 15001 15006 15020
ENTRYPOINT ["outrider"]

FROM sidecar AS init
COPY --from=files /init /
LABEL org.opencontainers.image.title="outrider-init" \
      org.opencontainers.image.description="Redirects an app's connections to its sidecar"
ENV PATH=/usr/local/bin:/usr/sbin
USER 0:0
ENTRYPOINT ["outrider", "init"]
