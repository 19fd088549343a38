/** Clients that are Python packages: each has a script that does the whole day and prints a line for each step. */
import { join, resolve } from "node:path";
import { programs, run, versionOf } from "./command.ts";
import type { Client, ClientSite, Step } from "./day.ts";
import { FEATURES, ODD_NAMES, type Feature } from "./features.ts";

/** Where `.ci/run` puts an environment of its own; then what is installed. */
const OWN_PYTHON = resolve(import.meta.dirname, "../../.cache/python/bin/python3");
const candidates = (): string[] => [OWN_PYTHON, ...programs("python3")];

async function pythonWith(module: string): Promise<{ program: string; version: string } | undefined> {
  for (const program of candidates()) {
    const version = await versionOf(program, ["-c", `import ${module}; print(${module}.__version__)`], /^(\S+)/);
    if (version !== undefined) return { program, version };
  }
  return undefined;
}

/** A line of a script: `{"feature": ..., "fault": ...}`. */
type Lines = ReadonlyMap<string, string | undefined>;

async function runScript(module: string, script: string, site: ClientSite): Promise<Lines> {
  const found = await pythonWith(module);
  if (found === undefined) throw new Error(`no python with ${module}`);
  const input = JSON.stringify({ ...site, oddNames: ODD_NAMES });
  const text = (await run(found.program, [join(import.meta.dirname, script)], { input })).toString("utf8");
  const lines = text.split("\n").filter((line) => line.startsWith("{"));
  return new Map(
    lines.map((line) => {
      const { feature, fault } = JSON.parse(line) as { feature: string; fault?: string };
      return [feature, fault];
    }),
  );
}

interface PythonClient {
  readonly name: string;
  readonly module: string;
  readonly script: string;
  readonly remarks: string;
  readonly features: readonly Feature[];
}

function pythonClient({ name, module, script, remarks, features }: PythonClient): Client {
  return {
    name,
    install: `pip install ${module}`,
    remarks,
    version: async () => (await pythonWith(module))?.version,
    day(site): readonly Step[] {
      let lines: Promise<Lines> | undefined;
      return features.map((feature) => ({
        feature,
        async run() {
          const known = await (lines ??= runScript(module, script, site));
          if (!known.has(feature)) throw new Error("the script did not come that far");
          const fault = known.get(feature);
          if (fault !== undefined) throw new Error(fault);
        },
      }));
    },
  };
}

export function pythonClients(): readonly Client[] {
  return [
    pythonClient({
      name: "boto3",
      module: "boto3",
      script: "boto3_day.py",
      remarks: "`endpoint_url`; `sts` with the same URL gives temporary credentials",
      features: FEATURES.filter((feature) => feature !== "sync"),
    }),
    pythonClient({
      name: "minio (Python)",
      module: "minio",
      script: "minio_day.py",
      remarks: "`MinioAdmin` with the same URL",
      features: FEATURES.filter((feature) => feature !== "sync"),
    }),
  ];
}
