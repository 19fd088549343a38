/** The process of `mc`: signals, streams, exit code. */
import { writeSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { constants } from "node:os";

enableCompileCache();
const { runMc } = await import("./main.ts");
const { errorText } = await import("./error-report.ts");

const stop = new AbortController();
let signalCode = 0;
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    // The second signal means that cleaning up takes too long for the user.
    if (stop.signal.aborted) process.exit(128 + constants.signals[name]);
    signalCode = 128 + constants.signals[name];
    stop.abort();
  });
}
// `mc ls | head` closes the pipe: that ends the command quietly, as it ends other tools.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  writeSync(process.stderr.fd, `${errorText("Unable to write to standard output", error)}\n`);
  process.exit(1);
});

const { stdin, stdout, stderr } = process;
const code = await runMc(process.argv.slice(2), process.env, { stdin, stdout, stderr, signal: stop.signal });
process.exit(signalCode === 0 ? code : signalCode);
