import assert from "node:assert/strict";
import { test } from "node:test";
import { S3ResponseError } from "../client/s3-client.ts";
import { CommandError } from "./command.ts";
import { StreamOutput } from "./output.ts";

class Sink {
  text = "";
  readonly isTTY: boolean;
  readonly columns = 40;
  constructor(isTTY = false) {
    this.isTTY = isTTY;
  }
  write(data: string | Uint8Array, done?: (error?: Error | null) => void): boolean {
    this.text += Buffer.from(data).toString();
    done?.();
    return true;
  }
}

function make(options: { json?: boolean; quiet?: boolean; terminal?: boolean } = {}): {
  out: StreamOutput;
  stdout: Sink;
  stderr: Sink;
} {
  const stdout = new Sink(options.terminal);
  const stderr = new Sink();
  return {
    stdout,
    stderr,
    out: new StreamOutput({ stdout, stderr, json: options.json ?? false, quiet: options.quiet ?? false }),
  };
}

const REFUSED = new S3ResponseError({
  status: 403,
  code: "AccessDenied",
  message: "Access Denied.",
  bucket: "b",
  key: "k",
  resource: "/b/k",
  requestId: "R",
  hostId: "H",
  region: "",
  server: "MinIO",
});

test("text goes to standard output, errors to standard error, each sentence closed once", () => {
  const { out, stdout, stderr } = make();
  out.message("line", { status: "success" });
  out.message(undefined, { status: "success" });
  out.error("Unable to list `a`", REFUSED);
  out.error("Failed", undefined);
  out.fatal("Failed", new CommandError("Inner", new Error("cause")));
  assert.equal(stdout.text, "line\n");
  assert.equal(
    stderr.text,
    "mc: <ERROR> Unable to list `a`. Access Denied.\nmc: <ERROR> Failed.\nmc: <ERROR> Failed. Inner. cause.\n",
  );
});

test("what MinIO wraps twice is shown without the wrapping", () => {
  const { out, stderr } = make();
  const message = "400 BadRequest (Invalid arguments provided for b/: (no rule is enabled))";
  out.error("Unable to start", new S3ResponseError({ ...REFUSED, message }));
  assert.equal(stderr.text, "mc: <ERROR> Unable to start: no rule is enabled.\n");
});

test("--json: one object a line, errors among them with the S3 error struct", () => {
  const { out, stdout, stderr } = make({ json: true });
  out.message("ignored", { status: "success", n: 1 });
  out.error("Unable to list", REFUSED);
  out.fatal("Own", undefined);
  const [data, wire, own] = stdout.text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
  assert.deepEqual(data, { status: "success", n: 1 });
  const struct = {
    Code: "AccessDenied",
    Message: "Access Denied.",
    BucketName: "b",
    Key: "k",
    Resource: "/b/k",
    RequestID: "R",
    HostID: "H",
    Region: "",
    Server: "MinIO",
  };
  const error = { message: "Unable to list", cause: { message: "Access Denied.", error: struct }, type: "error" };
  assert.deepEqual(wire, { status: "error", error });
  assert.deepEqual(own, {
    status: "error",
    error: { message: "Own", cause: { message: "Own", error: {} }, type: "fatal" },
  });
  assert.equal(stderr.text, "");
});

test("objects are indented on a terminal", () => {
  const { out, stdout } = make({ json: true, terminal: true });
  out.message("", { a: 1 });
  assert.equal(stdout.text, '{\n "a": 1\n}\n');
});

test("the progress line is cut to the terminal, and gone before the next line", () => {
  const { out, stdout } = make({ terminal: true });
  assert.equal(out.interactive, true);
  out.progress("x".repeat(60));
  out.message("done", {});
  assert.equal(stdout.text, `\r\u001b[2K${"x".repeat(39)}\r\u001b[2Kdone\n`);
  const quiet = make({ terminal: true, quiet: true });
  quiet.out.progress("x");
  assert.equal(quiet.stdout.text, "");
});
