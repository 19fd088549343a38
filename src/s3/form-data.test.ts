import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hasCode } from "../model/errors.ts";
import { readForm } from "./form-data.ts";

const TYPE = "multipart/form-data; boundary=xYz";

async function* split(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function form(fields: readonly [string, string][], file: Buffer): Buffer {
  const parts = fields.map(
    ([name, value]) => `--xYz\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  const head = `--xYz\r\nContent-Disposition: form-data; name="file"; filename="C:\\dir\\a.txt"\r\nContent-Type: text/plain\r\n\r\n`;
  const after = `\r\n--xYz\r\nContent-Disposition: form-data; name="late"\r\n\r\nx\r\n--xYz--\r\n`;
  return Buffer.concat([Buffer.from(parts.join("") + head, "latin1"), file, Buffer.from(after)]);
}

test("fields and file come out whatever the split, also when the file looks like a delimiter", async () => {
  const pieces = fc.array(fc.constantFrom("\r", "\n", "-", "xYz", "\r\n--xY", "data"), { maxLength: 20 });
  const file = pieces.map((parts) => parts.join("").replaceAll("\r\n--xYz", ""));
  await fc.assert(
    fc.asyncProperty(file, fc.integer({ min: 1, max: 50 }), async (text, size) => {
      const upload = await readForm(
        split(
          form(
            [
              ["Key", "k"],
              ["acl", ""],
            ],
            Buffer.from(text),
          ),
          size,
        ),
        TYPE,
      );
      assert.deepEqual({ ...upload.fields }, { key: "k", acl: "" });
      const pieces: Buffer[] = [];
      for await (const piece of upload.file) pieces.push(piece);
      assert.equal(Buffer.concat(pieces).toString(), text);
    }),
  );
});

test("forms without file or boundary, or cut off, are refused", async () => {
  const refused = (body: Buffer, type: string, code: string) =>
    assert.rejects(readForm(split(body, 7), type), (error) => hasCode(error, code));
  await refused(
    Buffer.from('--xYz\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--xYz--\r\n'),
    TYPE,
    "MalformedPOSTRequest",
  );
  await refused(form([], Buffer.from("")), "multipart/form-data", "MalformedPOSTRequest");
  await refused(Buffer.from('--xYz\r\nContent-Disposition: form-data; name="a"\r\n\r\nb'), TYPE, "IncompleteBody");
  await refused(form([["a", "x".repeat(1024 * 1024 + 100)]], Buffer.from("")), TYPE, "MalformedPOSTRequest");
});

test("a field that comes byte by byte costs its length, not the square of it", async (t) => {
  const { concat } = Buffer;
  const { copy } = Buffer.prototype;
  let copied = 0;
  t.mock.method(Buffer, "concat", (list: readonly Uint8Array[], length?: number) => {
    const whole = concat(list, length);
    copied += whole.length;
    return whole;
  });
  t.mock.method(Buffer.prototype, "copy", function (this: Buffer, ...to: Parameters<typeof copy>) {
    const length = copy.apply(this, to);
    copied += length;
    return length;
  });
  const value = "x".repeat(20_000);
  const { fields } = await readForm(split(form([["key", value]], Buffer.from("file")), 1), TYPE);
  t.mock.restoreAll();
  assert.equal(fields["key"], value);
  assert.ok(copied < 10 * value.length, `${copied} bytes copied`);
});
