import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hasCode } from "../model/errors.ts";
import type { ReplicationConfig, ReplicationRule } from "../model/replication-config.ts";
import {
  parseReplicationXml,
  renderReplicationXml,
  replicationFromJson,
  replicationToJson,
} from "./replication-xml.ts";

const FROM_MC =
  "<ReplicationConfiguration><Rule><ID>dc1</ID><Status>Enabled</Status><Priority>0</Priority><DeleteMarkerRe" +
  "plication><Status>Enabled</Status></DeleteMarkerReplication><DeleteReplication><Status>Enabled</Status></" +
  "DeleteReplication><Destination><Bucket>arn:minio:replication::id:dst</Bucket></Destination><Filter><Prefi" +
  "x></Prefix><And></And><Tag></Tag></Filter><SourceSelectionCriteria><ReplicaModifications><Status>Enabled<" +
  "/Status></ReplicaModifications></SourceSelectionCriteria><ExistingObjectReplication><Status>Enabled</Stat" +
  "us></ExistingObjectReplication></Rule><Role></Role></ReplicationConfiguration>";
const TO_MC =
  "<ReplicationConfiguration><Rule><ID>dc1</ID><Status>Enabled</Status><Priority>0</Priority><DeleteMarkerRe" +
  "plication><Status>Enabled</Status></DeleteMarkerReplication><DeleteReplication><Status>Enabled</Status></" +
  "DeleteReplication><Destination><Bucket>arn:minio:replication::id:dst</Bucket></Destination><SourceSelecti" +
  "onCriteria><ReplicaModifications><Status>Enabled</Status></ReplicaModifications></SourceSelectionCriteria" +
  "><Filter><Prefix></Prefix></Filter><ExistingObjectReplication><Status>Enabled</Status></ExistingObjectRep" +
  "lication></Rule><Role></Role></ReplicationConfiguration>";
const JSON_RULE =
  '{"ID":"dc1","Status":"Enabled","Priority":0,"DeleteMarkerReplication":{"Status":"Enabled"},"DeleteReplica' +
  'tion":{"Status":"Enabled"},"Destination":{"Bucket":"arn:minio:replication::id:dst"},"Filter":{"And":{},"T' +
  'ag":{}},"SourceSelectionCriteria":{"ReplicaModifications":{"Status":"Enabled"}},"ExistingObjectReplicatio' +
  'n":{"Status":"Enabled"}}';

const parse = (text: string): ReplicationConfig => parseReplicationXml(Buffer.from(text));

test("captured forms", () => {
  const config = parse(FROM_MC);
  assert.equal(renderReplicationXml(config), TO_MC);
  assert.equal(JSON.stringify(replicationToJson(config)), `{"Rules":[${JSON_RULE}],"Role":""}`);
  const filter = (text: string): ReplicationRule | undefined =>
    parse(FROM_MC.replace(/<Filter>.*<\/Filter>/, `<Filter>${text}</Filter>`)).rules[0];
  const tags =
    "<Prefix></Prefix><And><Tag><Key>a</Key><Value>b</Value></Tag><Tag><Key>c</Key><Value>d</Value></Tag></And><Tag></Tag>";
  assert.deepEqual(filter(tags)?.tags, [
    { key: "a", value: "b" },
    { key: "c", value: "d" },
  ]);
  assert.equal(filter("<Prefix></Prefix><And><Prefix>pre</Prefix></And><Tag></Tag>")?.prefix, "pre");
});

const word = fc.string({ minLength: 1, maxLength: 10 }).map((text) => text.trim() || "x");
const tagged = fc.record({ key: word, value: word }, { noNullPrototype: true });
const filters = fc.oneof(
  fc.record({ prefix: fc.string(), tags: fc.constant([]), filterForm: fc.constant("prefix" as const) }),
  fc.record({
    prefix: word,
    tags: fc.uniqueArray(tagged, { selector: (one) => one.key }),
    filterForm: fc.constant("and" as const),
  }),
  fc.record({ prefix: fc.constant(""), tags: tagged.map((one) => [one]), filterForm: fc.constant("tag" as const) }),
);
const rule = fc.record({
  id: word,
  enabled: fc.boolean(),
  deleteMarkerReplication: fc.boolean(),
  deleteReplication: fc.boolean(),
  existingObjectReplication: fc.boolean(),
  replicaModifications: fc.boolean(),
  destination: fc.constantFrom("arn:minio:replication::a:b", "arn:minio:replication::c:d"),
  filter: filters,
});

test("every valid configuration survives XML and JSON", () => {
  fc.assert(
    fc.property(fc.array(rule, { minLength: 1, maxLength: 4 }), (list) => {
      const rules = list.map(({ filter, ...rest }, priority) => ({
        ...rest,
        ...filter,
        priority,
        deleteMarkerReplication: rest.deleteMarkerReplication && filter.filterForm !== "tag",
      }));
      const config: ReplicationConfig = { rules, role: "" };
      assert.deepEqual(parse(renderReplicationXml(config)), config);
      assert.deepEqual(replicationFromJson(JSON.parse(JSON.stringify(replicationToJson(config)))), config);
    }),
  );
});

test("defaults and refusals", () => {
  const [first] = parse(
    FROM_MC.replace(/<SourceSelectionCriteria>.*<\/SourceSelectionCriteria>/, "")
      .replace(/<(Existing\w+)>.*<\/\1>/, "")
      .replace(/<DeleteReplication>.*<\/DeleteReplication>/, ""),
  ).rules;
  assert.deepEqual(
    [first?.replicaModifications, first?.existingObjectReplication, first?.deleteReplication],
    [true, false, false],
  );
  const bad: [string, string | RegExp, string][] = [
    ["root", /ReplicationConfiguration/g, "Other"],
    ["no delete marker element", /<DeleteMarkerReplication>.*<\/DeleteMarkerReplication>/, ""],
    ["two filters", "<Prefix></Prefix><And></And>", "<Prefix>a</Prefix><And><Prefix>b</Prefix></And>"],
    ["tag with markers", "<Tag></Tag>", "<Tag><Key>a</Key><Value>b</Value></Tag>"],
    ["status", "<Status>Enabled</Status><Priority>", "<Status>On</Status><Priority>"],
    ["priority", "<Priority>0", "<Priority>-1"],
    ["destination", "arn:minio:", "dst:"],
    ["storage class", "</Bucket>", "</Bucket><StorageClass>GLACIER</StorageClass>"],
    ["no rules", /<Rule>.*<\/Rule>/, ""],
    ["duplicate priority", /(<Rule>.*<\/Rule>)/, "$1$1"],
    ["not XML", "</Rule>", ""],
  ];
  for (const [what, from, to] of bad) {
    assert.throws(
      () => parse(FROM_MC.replace(from, to)),
      (error) => hasCode(error, "MalformedXML"),
      what,
    );
  }
  assert.throws(
    () => replicationFromJson({ Rules: null }),
    (error) => hasCode(error, "MalformedXML"),
  );
});
