FROM alpine:3.22
RUN apk add --no-cache ca-certificates
COPY service /usr/local/bin/service
USER nobody
ENTRYPOINT ["service"]
