/** The site's listening socket: HTTP, or HTTPS when there are certificates; shared between processes by the kernel. */
import { createServer as createHttpServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { Socket, type AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { renderErrorXml } from "../protocol/error-document.ts";
import { dateWarning, readCertificates, TLS_POLICY, watchCertificates } from "./certificates.ts";
import type { CertificateFiles, Certificates } from "./certificates.ts";
import { systemClock } from "../runtime/clock.ts";
import { PACE_LOOK_MS, REQUESTS_MAX } from "../s3/limits.ts";
import { configureServer, SERVER_OPTIONS } from "../s3/listener.ts";
import { Pace, responseUnderWay } from "../s3/pace.ts";
import { connectionsMax, descriptorLimit, descriptorWarning } from "./descriptors.ts";
import { UsageError } from "./settings.ts";

const CONNECTIONS_BACKLOG = 2048;
const STOP_GRACE_MS = 10_000;
/** While the server stops, connections whose last answer is out are closed so soon. */
const IDLE_LOOK_MS = 50;
/** Connections that cannot be taken are told of so often. */
const TOLD_AGAIN_MS = 60_000;

const LISTEN_HINTS: Readonly<Record<string, string>> = {
  EACCES: "this user may not; ports below 1024 need a right of their own (CAP_NET_BIND_SERVICE)",
  EADDRNOTAVAIL: "this machine has no such address",
  ENOTFOUND: "this name has no address",
};

export interface Listener {
  readonly port: number;
  readonly host: string;
  readonly secure: boolean;
  /** No new connections; requests in flight get 10 s. */
  stop(): Promise<void>;
}

export interface ListenOptions extends CertificateFiles {
  readonly host: string | undefined;
  readonly port: number;
  /** Several processes of this site listen on the same port. */
  readonly shared: boolean;
  readonly warn: (message: string) => void;
  /** Requests that may be in work at once, as it is set now. */
  readonly requestsMax?: (() => number) | undefined;
}

function makeServer(
  handler: RequestListener,
  options: ListenOptions,
): { server: Server; secure: boolean; forget: () => void } {
  let certificates: Certificates | undefined = readCertificates(options);
  if (certificates === undefined) {
    return { server: createHttpServer(SERVER_OPTIONS, handler), secure: false, forget: onHangup(() => undefined) };
  }
  warnOfDates(certificates, options.warn);
  const server = createHttpsServer(
    {
      ...SERVER_OPTIONS,
      cert: certificates.cert,
      key: certificates.key,
      ...TLS_POLICY,
      SNICallback: (name, done) => done(null, certificates?.context(name)),
    },
    handler,
  );
  server.on("tlsClientError", answerPlainHttp);
  const reload = (): void => {
    try {
      certificates = readCertificates(options) ?? certificates;
      if (certificates === undefined) return;
      warnOfDates(certificates, options.warn);
      server.setSecureContext({ cert: certificates.cert, key: certificates.key, ...TLS_POLICY });
    } catch (error) {
      options.warn(`certificates not reloaded, the old ones stay in use: ${(error as Error).message}`);
    }
  };
  const watcher = watchCertificates(options.certsDir, reload);
  const unhook = onHangup(reload);
  const forget = (): void => {
    watcher.close();
    unhook();
  };
  return { server, secure: true, forget };
}

/** A hangup asks for the files to be read again, as service managers send it; without a listener it would end the process. */
function onHangup(reload: () => void): () => void {
  process.on("SIGHUP", reload);
  return () => void process.removeListener("SIGHUP", reload);
}

function warnOfDates({ all }: Certificates, warn: (message: string) => void): void {
  for (const cert of all) {
    const warning = dateWarning(cert, systemClock().nowMs());
    if (warning !== undefined) warn(warning);
  }
}

const PLAIN_HTTP_BODY = renderErrorXml({
  code: "XMinioInsecureClientRequest",
  message: "This port speaks TLS: write https:// instead of http://.",
  resource: "/",
  requestId: "",
  hostId: "",
});
const PLAIN_HTTP_ANSWER =
  "HTTP/1.1 400 Bad Request\r\nContent-Type: application/xml\r\nConnection: close\r\n" +
  `Content-Length: ${Buffer.byteLength(PLAIN_HTTP_BODY)}\r\n\r\n${PLAIN_HTTP_BODY}`;

/** Who speaks plain HTTP to a TLS port is told so; the handshake has failed, so the answer goes below it. */
function answerPlainHttp(error: NodeJS.ErrnoException, socket: TLSSocket): void {
  if (error.code !== "ERR_SSL_HTTP_REQUEST") return;
  const below: unknown = Reflect.get(socket, "_parent");
  if (below instanceof Socket && below.writable) below.end(PLAIN_HTTP_ANSWER);
}

/** Listens, or throws UsageError when the address cannot be had. */
export async function listen(handler: RequestListener, options: ListenOptions): Promise<Listener> {
  const { server, secure, forget } = makeServer(handler, options);
  configureServer(server, handler);
  const descriptors = descriptorLimit();
  server.maxConnections = connectionsMax(descriptors);
  const few = descriptorWarning(descriptors);
  if (few !== undefined) options.warn(few);
  const sockets = new Set<Socket>();
  server.on(secure ? "secureConnection" : "connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await bind(server, options);
  // Out of descriptors, mostly: the connection waits at the kernel and is taken when one is free.
  const notTaken = seldom((error: Error) => options.warn(`a connection could not be taken: ${error.message}`));
  server.on("error", notTaken);
  const pace = new Pace();
  const looking = setInterval(
    () => pace.look(sockets, Math.min(options.requestsMax?.() ?? REQUESTS_MAX, server.maxConnections)),
    PACE_LOOK_MS,
  ).unref();
  const { port, address } = server.address() as AddressInfo;
  return {
    port,
    host: address,
    secure,
    stop: () =>
      new Promise((resolve) => {
        forget();
        clearInterval(looking);
        endAfterAnswers(server, sockets);
        const force = setTimeout(() => server.closeAllConnections(), STOP_GRACE_MS);
        const idle = setInterval(() => server.closeIdleConnections(), IDLE_LOOK_MS);
        server.close(() => {
          clearTimeout(force);
          clearInterval(idle);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

function bind(server: Server, { host, port, shared }: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      const where = `${host ?? ""}:${port}`;
      if (error.code === "EADDRINUSE") reject(new UsageError(`${where} is in use; choose another with --address`));
      else reject(new UsageError(`cannot listen on ${where}: ${LISTEN_HINTS[error.code ?? ""] ?? error.message}`));
    };
    server.once("error", failed);
    server.listen({ port, host, backlog: CONNECTIONS_BACKLOG, reusePort: shared }, () => {
      server.off("error", failed);
      resolve();
    });
  });
}

/** `tell`, but not again before a while has passed: the kernel offers a waiting connection over and over. */
function seldom(tell: (error: Error) => void): (error: Error) => void {
  const clock = systemClock();
  let toldMs = -Infinity;
  return (error) => {
    const nowMs = clock.nowMs();
    if (nowMs - toldMs < TOLD_AGAIN_MS) return;
    toldMs = nowMs;
    tell(error);
  };
}

/**
 * Answers of a server that stops say `Connection: close`. A busy client that was promised to be kept would go on sending
 * until it is cut off in the middle of a request.
 */
function endAfterAnswers(server: Server, sockets: Iterable<Socket>): void {
  for (const socket of sockets) {
    const underWay = responseUnderWay(socket);
    if (underWay !== undefined) underWay.shouldKeepAlive = false;
  }
  for (const event of ["request", "checkContinue"] as const)
    server.prependListener(event, (_request, response: ServerResponse) => void (response.shouldKeepAlive = false));
}
