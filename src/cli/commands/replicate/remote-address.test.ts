import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRemoteAddress, sameRemote } from "./remote-address.ts";
import { changedTarget, newTarget, remoteTargetJson } from "./remote-target.ts";

const beta = { url: "https://b.example:9000", accessKey: "AK", secretKey: "SK", api: "S3v4", path: "auto" };
const aliases = { beta, temp: { ...beta, sessionToken: "T" } };

test("ARN, URL and ALIAS/BUCKET are told apart", () => {
  const arn = "arn:minio:replication::id:dst";
  assert.deepEqual(parseRemoteAddress(arn, aliases), { kind: "arn", arn });
  const credentials = { accessKey: "AK", secretKey: "SK" };
  const there = { kind: "endpoint", secure: true, endpoint: "b.example:9000", bucket: "dst", credentials };
  assert.deepEqual(parseRemoteAddress("beta/dst", aliases), there);
  assert.deepEqual(parseRemoteAddress("https://AK:SK@b.example:9000/dst/", aliases), there);
});

test("a secret in a URL is raw and may hold separators", () => {
  const parsed = parseRemoteAddress("http://user:a/b@c:d@host/dst", aliases);
  assert.deepEqual(parsed.kind === "endpoint" && parsed.credentials, { accessKey: "user", secretKey: "a/b@c:d" });
});

test("what cannot be a target is refused", () => {
  for (const bad of ["nobody/dst", "beta", "beta/", "beta/a/b", "temp/dst", "http://host", "http://key@host/dst"]) {
    assert.throws(() => parseRemoteAddress(bad, aliases), /Invalid remote bucket/, bad);
  }
});

test("a missing port is the default one", () => {
  const target = newTarget({ secure: false, endpoint: "host", bucket: "dst" }, {});
  assert.ok(sameRemote(target, { secure: false, endpoint: "HOST:80", bucket: "dst" }));
  assert.ok(!sameRemote(target, { secure: false, endpoint: "host:9000", bucket: "dst" }));
  assert.ok(!sameRemote(target, { secure: false, endpoint: "host", bucket: "other" }));
});

test("a new target has the captured members", () => {
  const credentials = { accessKey: "ReplicationRemoteUser", secretKey: "SECRET" };
  const target = newTarget({ secure: false, endpoint: "b.example:9000", bucket: "dst", credentials }, {});
  assert.deepEqual(target, {
    sourcebucket: "",
    endpoint: "b.example:9000",
    credentials,
    targetbucket: "dst",
    secure: false,
    path: "auto",
    api: "s3v4",
    type: "replication",
    replicationSync: false,
    healthCheckDuration: 60_000_000_000,
    disableProxy: false,
    resetBeforeDate: "0001-01-01T00:00:00Z",
  });
});

test("an update names only the parts that change, so that keys need not be typed again", () => {
  const stored = newTarget({ secure: false, endpoint: "h", bucket: "dst" }, {});
  const { target, parts } = changedTarget(stored, undefined, { bandwidthLimit: 200_000_000, sync: true });
  assert.deepEqual(parts, ["sync", "bandwidth"]);
  assert.equal(target.bandwidthlimit, 200_000_000);
  assert.equal(target.replicationSync, true);
  const credentials = { accessKey: "A", secretKey: "S" };
  const moved = changedTarget(stored, { secure: true, endpoint: "n", bucket: "d2", credentials }, {});
  assert.deepEqual(moved.parts, ["creds"]);
  assert.equal(moved.target.endpoint, "n");
});

test("the JSON of a remote target has the members scripts read", () => {
  const stored = {
    ...newTarget({ secure: false, endpoint: "h:9", bucket: "dst" }, {}),
    sourcebucket: "src",
    arn: "ARN",
  };
  assert.deepEqual(remoteTargetJson(stored), {
    status: "success",
    accessKey: "",
    sourceBucket: "src",
    TargetURL: "http://h:9",
    TargetBucket: "dst",
    RemoteARN: "ARN",
    path: "auto",
    service: "replication",
    bandwidth: 0,
    replicationSync: false,
    proxy: true,
    healthcheckDuration: 60_000_000_000,
    resetID: "",
    resetBeforeDate: "0001-01-01T00:00:00Z",
  });
});
