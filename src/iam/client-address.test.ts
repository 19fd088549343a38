import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { test } from "node:test";
import { clientAddressOf, directAddress } from "./client-address.ts";

const from = (remoteAddress: string, headers: Record<string, string> = {}): IncomingMessage =>
  ({ socket: { remoteAddress }, headers }) as never;

test("headers are believed from trusted proxies only", () => {
  const of = clientAddressOf(["10.0.0.0/8", "::1"]) ?? assert.fail();
  const forwarded = { "x-forwarded-for": "1.2.3.4", "x-forwarded-proto": "https" };
  assert.deepEqual(of(from("10.1.1.1", forwarded)), { address: "1.2.3.4", secure: true });
  assert.deepEqual(of(from("::ffff:10.1.1.1", forwarded)), { address: "1.2.3.4", secure: true });
  assert.deepEqual(of(from("9.9.9.9", forwarded)), { address: "9.9.9.9", secure: false });
  assert.deepEqual(directAddress(from("10.1.1.1", forwarded)), { address: "10.1.1.1", secure: false });
});

test("the last address that is no proxy counts: what stands before it was written by the client", () => {
  const of = clientAddressOf(["10.0.0.0/8"]) ?? assert.fail();
  const at = (value: string): string => of(from("10.0.0.1", { "x-forwarded-for": value })).address;
  assert.equal(at("6.6.6.6, 1.2.3.4, 10.0.0.2"), "1.2.3.4");
  assert.equal(at("10.0.0.3, 10.0.0.2"), "10.0.0.3", "proxies only: the first of them");
  assert.equal(at("unknown, 1.2.3.4:5678"), "1.2.3.4");
  assert.equal(at('"[2001:db8::1]:443"'), "2001:db8::1");
  assert.equal(at("nonsense"), "10.0.0.1");
  assert.equal(of(from("10.0.0.1", { "x-real-ip": "1.2.3.4" })).address, "1.2.3.4");
});

test("a block that is none is refused", () => {
  assert.equal(clientAddressOf(["10.0.0.0/8", "proxy.example"]), undefined);
});
