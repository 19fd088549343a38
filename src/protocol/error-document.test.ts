import assert from "node:assert/strict";
import { test } from "node:test";
import { parseErrorDocument, renderErrorJson, renderErrorXml, type ErrorDocument } from "./error-document.ts";
import { ERROR_CODES, errorMessage, errorStatus } from "./s3-errors.ts";

const ERROR: ErrorDocument = {
  code: "InvalidRange",
  message: 'a <b> "c"',
  key: "k&",
  bucket: "src",
  resource: "/src/k&",
  requestId: "R",
  hostId: "H",
  fields: { ActualObjectSize: "5", RangeRequested: "10-20" },
};

test("both forms are read back", () => {
  assert.deepEqual(parseErrorDocument(Buffer.from(renderErrorXml(ERROR))), ERROR);
  assert.deepEqual(parseErrorDocument(Buffer.from(renderErrorJson(ERROR))), ERROR);
  assert.equal(parseErrorDocument(Buffer.from("<html><body>no")), undefined);
  assert.equal(parseErrorDocument(Buffer.from("")), undefined);
});

test("captured forms", () => {
  const error = {
    code: "ReplicationConfigurationNotFoundError",
    bucket: "src",
    resource: "/src/",
    requestId: "R",
    hostId: "H",
  };
  assert.equal(
    renderErrorXml(error),
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>ReplicationConfigurationNotFoundError</Code>' +
      "<Message>The replication configuration was not found</Message><BucketName>src</BucketName>" +
      "<Resource>/src/</Resource><RequestId>R</RequestId><HostId>H</HostId></Error>",
  );
  const admin = { code: "AccessDenied", resource: "/minio/admin/v3/info", requestId: "R", hostId: "H" };
  assert.equal(
    renderErrorJson(admin),
    '{"Code":"AccessDenied","Message":"Access Denied.","Resource":"/minio/admin/v3/info","RequestId":"R","HostId":"H"}\n',
  );
});

test("the table", () => {
  assert.equal(errorStatus("NoSuchKey"), 404);
  assert.equal(errorMessage("NoSuchKey"), "The specified key does not exist.");
  assert.equal(errorStatus("XResilverObjectDamaged"), 500);
  assert.equal(errorStatus("SomethingElse"), 500);
  assert.equal(new Set(ERROR_CODES).size, ERROR_CODES.length);
  for (const code of ERROR_CODES) assert.ok(errorMessage(code).length > 5, code);
});
