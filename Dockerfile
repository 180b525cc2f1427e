# A static program on an empty image: no shell, no libraries, no root.
FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# The history is not in the context, so the release must be told: --build-arg RELEASE="$(git describe --tags --always)"
ARG RELEASE
RUN test -n "${RELEASE}" || { echo "build with --build-arg RELEASE=..." >&2; exit 1; }
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.release=${RELEASE}" -o /out/letterhook ./cmd/letterhook
# An empty image has no folders of its own.
RUN install -d -m 0700 /out/data /out/tmp

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /usr/share/zoneinfo /usr/share/zoneinfo
COPY --from=build --chown=65532:65532 /out/tmp /tmp
COPY --from=build --chown=65532:65532 /out/data /var/lib/letterhook
COPY --from=build /out/letterhook /usr/bin/letterhook
USER 65532:65532
VOLUME /var/lib/letterhook
# Unprivileged: map port 25 of the host to 2525 here.
EXPOSE 2525 8080 9025
HEALTHCHECK --interval=15s --timeout=6s --start-period=10s CMD ["/usr/bin/letterhook", "health"]
ENTRYPOINT ["/usr/bin/letterhook"]
CMD ["serve", "-c", "/etc/letterhook/letterhook.yaml"]
