/** The site's listening socket: HTTP, or HTTPS when there are certificates; shared between processes by the kernel. */
import { createServer as createHttpServer, ServerResponse, type RequestListener, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { Socket, type AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { renderErrorXml } from "../protocol/error-document.ts";
import { dateWarning, readCertificates, TLS_POLICY, watchCertificates } from "./certificates.ts";
import type { CertificateFiles, Certificates } from "./certificates.ts";
import { systemClock } from "../runtime/clock.ts";
import { configureServer, SERVER_OPTIONS } from "../s3/listener.ts";
import { UsageError } from "./settings.ts";

const CONNECTIONS_BACKLOG = 2048;
const STOP_GRACE_MS = 10_000;
/** While the server stops, connections whose last answer is out are closed so soon. */
const IDLE_LOOK_MS = 50;

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
  const sockets = new Set<Socket>();
  server.on(secure ? "secureConnection" : "connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const where = `${options.host ?? ""}:${options.port}`;
      if (error.code === "EADDRINUSE") reject(new UsageError(`${where} is in use; choose another with --address`));
      else reject(new UsageError(`cannot listen on ${where}: ${LISTEN_HINTS[error.code ?? ""] ?? error.message}`));
    });
    server.listen(
      { port: options.port, host: options.host, backlog: CONNECTIONS_BACKLOG, reusePort: options.shared },
      resolve,
    );
  });
  const { port, address } = server.address() as AddressInfo;
  return {
    port,
    host: address,
    secure,
    stop: () =>
      new Promise((resolve) => {
        forget();
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

/**
 * Answers of a server that stops say `Connection: close`. A busy client that was promised to be kept would go on sending
 * until it is cut off in the middle of a request.
 */
function endAfterAnswers(server: Server, sockets: Iterable<Socket>): void {
  for (const socket of sockets) {
    const underWay: unknown = Reflect.get(socket, "_httpMessage");
    if (underWay instanceof ServerResponse) underWay.shouldKeepAlive = false;
  }
  for (const event of ["request", "checkContinue"] as const)
    server.prependListener(event, (_request, response: ServerResponse) => void (response.shouldKeepAlive = false));
}
