/** What an operator does wrong at the start: each is one line that says what to type, exit code 2, nothing changed. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { cleanUp, startServer, temporaryFolder, type RunningServer } from "./support/server.ts";

const program = resolve(import.meta.dirname, "..", "bin", "resilver");
const OWN = { RESILVER_ROOT_USER: "operator", RESILVER_ROOT_PASSWORD: "operator-secret" };
let running: RunningServer;
let folder: string;

before(async () => {
  folder = temporaryFolder();
  running = await startServer();
});
after(cleanUp);

interface Ended {
  readonly code: number | null;
  readonly text: string;
}

function attempt(args: readonly string[], env: Readonly<Record<string, string>> = OWN): Promise<Ended> {
  return new Promise((done, fail) => {
    const child = spawn(program, [...args], { env: { PATH: process.env["PATH"], HOME: folder, ...env } });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
        // It must not come up: end it, so that the test fails instead of waiting.
        if (text.includes("is ready on")) child.kill("SIGKILL");
      });
    }
    child.once("error", fail);
    child.once("close", (code) => done({ code, text }));
  });
}

async function refused(
  args: readonly string[],
  message: RegExp,
  env?: Readonly<Record<string, string>>,
): Promise<void> {
  const dir = join(folder, "site");
  const { code, text } = await attempt(["server", ...args, dir], env);
  assert.equal(code, 2, `${args.join(" ")}\n${text}`);
  assert.match(text, message);
  assert.match(text, /^resilver: /);
  assert.doesNotMatch(text, /^\s+at /m, "no stack trace");
}

const FREE = ["--address", "127.0.0.1:0"];

test("settings that make no sense", async () => {
  await refused(["--adress", "127.0.0.1:0"], /unknown flag --adress/);
  await refused(["--address", "127.0.0.1:99999"], /expected \[HOST\]:PORT, for instance/);
  await refused([...FREE, "--workers", "two"], /expected a number from 1 to 64/);
  await refused(FREE, /unknown setting RESILVER_RGION. Did you mean RESILVER_REGION/, {
    ...OWN,
    RESILVER_RGION: "x",
  });
  await refused(FREE, /set both RESILVER_ROOT_USER and RESILVER_ROOT_PASSWORD/, { RESILVER_ROOT_USER: "operator" });
  await refused(FREE, /at least 8 characters/, { RESILVER_ROOT_USER: "operator", RESILVER_ROOT_PASSWORD: "short" });
  await refused(
    ["--address", "0.0.0.0:0"],
    /default root account may only listen on loopback[^]*RESILVER_ROOT_USER=/,
    {},
  );
  await refused([...FREE, "--certs-dir", join(folder, "none")], /there is no such folder/);
  assert.ok(!existsSync(join(folder, "site")), "nothing was made");
});

test("addresses and directories that cannot be had", async () => {
  await refused(["--address", `127.0.0.1:${running.port}`], /is in use; choose another with --address/);
  const file = join(folder, "file");
  writeFileSync(file, "x");
  for (const [dir, message] of [
    [running.dir, /in use by another Resilver server/],
    [file, /it is a file; choose another directory/],
  ] as const) {
    const { code, text } = await attempt(["server", ...FREE, dir]);
    assert.equal(code, 2, text);
    assert.match(text, message);
  }
});

test("certificates that do not fit are named with their files", async () => {
  const certs = join(folder, "certs");
  mkdirSync(certs);
  writeFileSync(join(certs, "public.crt"), "not a certificate");
  await refused([...FREE, "--certs-dir", certs], /private\.key/);
  writeFileSync(join(certs, "private.key"), "not a key");
  await refused([...FREE, "--certs-dir", certs], /do not make a key pair/);
  writeFileSync(join(certs, "private.key"), "-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
  await refused([...FREE, "--certs-dir", certs], /locked with a password/);
});
