/**
 * Where a request comes from. A reverse proxy hides its clients and names them in headers, which anybody could write:
 * they are believed from the proxies that the operator trusts, and from nobody else.
 */
import type { IncomingMessage } from "node:http";
import { ipInBlock, parseIp, parseIpBlock } from "./ip.ts";
import type { IpBlock } from "./ip.ts";

export interface ClientAddress {
  /** Without the IPv4-in-IPv6 form; empty when the connection is gone. */
  readonly address: string;
  /** The client's own connection is TLS, at the proxy or here. */
  readonly secure: boolean;
}

export type ClientAddressOf = (incoming: IncomingMessage) => ClientAddress;

/** Hops looked at: a longer list is somebody's invention. */
const HOPS_MAX = 32;

function plain(address: string): string {
  const text = address.trim().replace(/^"|"$/g, "");
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? text;
  const withoutPort = /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(bracketed)?.[1] ?? bracketed;
  return withoutPort.startsWith("::ffff:") ? withoutPort.slice("::ffff:".length) : withoutPort;
}

function listOf(value: string | string[] | undefined): string[] {
  return (Array.isArray(value) ? value.join(",") : (value ?? ""))
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/**
 * Blocks (`10.0.0.0/8`, `::1`) of trusted proxies into the function that finds a request's client: the last address of
 * X-Forwarded-For that is no trusted proxy. Undefined when a block is not one.
 */
export function clientAddressOf(trusted: readonly string[]): ClientAddressOf | undefined {
  const blocks: IpBlock[] = [];
  for (const text of trusted) {
    const block = parseIpBlock(text);
    if (block === undefined) return undefined;
    blocks.push(block);
  }
  const isProxy = (address: string): boolean => {
    const ip = parseIp(address);
    return ip !== undefined && blocks.some((block) => ipInBlock(ip, block));
  };
  return (incoming) => {
    const peer = plain(incoming.socket.remoteAddress ?? "");
    const direct = { address: peer, secure: "encrypted" in incoming.socket };
    if (blocks.length === 0 || !isProxy(peer)) return direct;
    const secure = direct.secure || listOf(incoming.headers["x-forwarded-proto"])[0]?.toLowerCase() === "https";
    const hops = listOf(incoming.headers["x-forwarded-for"]).slice(-HOPS_MAX).map(plain).reverse();
    const real = listOf(incoming.headers["x-real-ip"]).map(plain);
    const chain = (hops.length > 0 ? hops : real).filter((hop) => parseIp(hop) !== undefined);
    const client = chain.find((hop) => !isProxy(hop)) ?? chain.at(-1);
    return { address: client ?? peer, secure };
  };
}

/** Without any proxy. */
export const directAddress: ClientAddressOf = clientAddressOf([]) as ClientAddressOf;
