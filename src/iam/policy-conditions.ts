/** The Condition block of a statement: parsing and evaluation (admin-api.md 7.4). Pure. */
import { ipInBlock, parseIp, parseIpBlock } from "./ip.ts";
import type { IpBlock } from "./ip.ts";
import { substitute } from "./policy-variables.ts";
import type { Values } from "./policy-variables.ts";
import { wildcardMatch } from "./wildcard.ts";

/** One operator with one key; the block is true when all of them are. */
export interface Condition {
  /** As written, with qualifier and `IfExists`. */
  readonly operator: string;
  readonly key: string;
  /** As written, in a list. */
  readonly written: readonly (string | number | boolean)[];
  readonly test: (values: Values) => boolean;
}

type Qualifier = "ForAllValues" | "ForAnyValue" | undefined;
type Scalar = string | number | boolean;

/** Thrown by `parseCondition` with what is wrong; the caller knows which error code that is. */
export class ConditionFault extends Error {
  override name = "ConditionFault";
}

interface StringOperator {
  readonly negated: boolean;
  readonly matches: (pattern: string, value: string) => boolean;
  /** The pattern as it is compared, after variables. */
  readonly prepare?: ((text: string) => string) | undefined;
}

const equal = (a: string, b: string): boolean => a === b;
const equalFolded = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

/** Maps, not objects: a stranger's operator `constructor` must not be found in them. */
const STRING_OPERATORS: ReadonlyMap<string, StringOperator> = new Map(
  Object.entries({
    StringEquals: { negated: false, matches: equal },
    StringNotEquals: { negated: true, matches: equal },
    StringEqualsIgnoreCase: { negated: false, matches: equalFolded },
    StringNotEqualsIgnoreCase: { negated: true, matches: equalFolded },
    StringLike: { negated: false, matches: wildcardMatch },
    StringNotLike: { negated: true, matches: wildcardMatch },
    BinaryEquals: { negated: false, matches: equal, prepare: (text) => Buffer.from(text, "base64").toString("utf8") },
  } satisfies Record<string, StringOperator>),
);

type Ordering = (difference: number) => boolean;

const ORDERINGS: ReadonlyMap<string, { readonly negated: boolean; readonly holds: Ordering }> = new Map([
  ["Equals", { negated: false, holds: (d) => d === 0 }],
  ["NotEquals", { negated: true, holds: (d) => d === 0 }],
  ["LessThan", { negated: false, holds: (d) => d < 0 }],
  ["LessThanEquals", { negated: false, holds: (d) => d <= 0 }],
  ["GreaterThan", { negated: false, holds: (d) => d > 0 }],
  ["GreaterThanEquals", { negated: false, holds: (d) => d >= 0 }],
]);

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const INTEGER = /^[+-]?\d+$/;
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

function integerOf(text: string): number | undefined {
  return INTEGER.test(text) ? Number(text) : undefined;
}

function timeOf(text: string): number | undefined {
  if (!RFC3339.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

function boolOf(value: Scalar | undefined): boolean {
  const text = String(value).toLowerCase();
  if (text !== "true" && text !== "false") throw new ConditionFault(`'${text}' is not true or false`);
  return text === "true";
}

function onlyValue(operator: string, written: readonly Scalar[]): Scalar {
  const [value] = written;
  if (value === undefined || written.length !== 1) throw new ConditionFault(`${operator} takes exactly one value`);
  return value;
}

/** `ForAllValues` holds for an absent key; without a qualifier any value of the request may match. */
function stringTest(key: string, operator: StringOperator, qualifier: Qualifier, written: readonly Scalar[]) {
  const texts = written.map(String);
  if (operator.prepare !== undefined && !texts.every((text) => BASE64.test(text))) {
    throw new ConditionFault("a value is not base64");
  }
  return (values: Values): boolean => {
    const asked = values(key);
    const patterns = texts.map((text) => {
      const substituted = substitute(text, values);
      return operator.prepare === undefined ? substituted : operator.prepare(substituted);
    });
    const listed = (value: string): boolean => patterns.some((pattern) => operator.matches(pattern, value));
    const positive = qualifier === "ForAllValues" ? asked.every(listed) : asked.some(listed);
    return positive !== operator.negated;
  };
}

function orderedTest(
  key: string,
  ordering: { readonly negated: boolean; readonly holds: Ordering },
  limit: number,
  read: (text: string) => number | undefined,
) {
  return (values: Values): boolean => {
    const [first] = values(key);
    const asked = first === undefined ? undefined : read(first);
    return (asked !== undefined && ordering.holds(asked - limit)) !== ordering.negated;
  };
}

function ipTest(key: string, negated: boolean, written: readonly Scalar[]) {
  const blocks: IpBlock[] = written.map((value) => {
    const block = parseIpBlock(String(value));
    if (block === undefined) throw new ConditionFault(`'${String(value)}' is no address and no CIDR block`);
    return block;
  });
  return (values: Values): boolean => {
    const inside = values(key).some((text) => {
      const ip = parseIp(text);
      return ip !== undefined && blocks.some((block) => ipInBlock(ip, block));
    });
    return inside !== negated;
  };
}

function testOf(name: string, qualifier: Qualifier, key: string, written: readonly Scalar[]) {
  const text = STRING_OPERATORS.get(name);
  if (text !== undefined) return stringTest(key, text, qualifier, written);
  if (qualifier !== undefined) throw new ConditionFault(`${qualifier} stands before string operators only`);
  if (name === "IpAddress" || name === "NotIpAddress") return ipTest(key, name === "NotIpAddress", written);
  if (name === "Null") {
    const absent = boolOf(onlyValue(name, written));
    return (values: Values): boolean => (values(key).length === 0) === absent;
  }
  if (name === "Bool") {
    const wanted = String(boolOf(onlyValue(name, written)));
    return (values: Values): boolean => values(key)[0]?.toLowerCase() === wanted;
  }
  const ordered = /^(Numeric|Date)(\w+)$/.exec(name);
  const ordering = ordered === null ? undefined : ORDERINGS.get(ordered[2] ?? "");
  if (ordered === null || ordering === undefined) throw new ConditionFault(`unknown condition operator '${name}'`);
  const read = ordered[1] === "Date" ? timeOf : integerOf;
  const limit = read(String(onlyValue(name, written)));
  if (limit === undefined) throw new ConditionFault(`'${String(written[0])}' is no value for ${name}`);
  return orderedTest(key, ordering, limit, read);
}

function splitOperator(operator: string): { qualifier: Qualifier; name: string; ifExists: boolean } {
  const match = /^(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?$/.exec(operator);
  const name = match?.[2];
  if (name === undefined) throw new ConditionFault(`unknown condition operator '${operator}'`);
  const ifExists = match?.[3] !== undefined;
  if (ifExists && name === "Null") throw new ConditionFault("Null asks for existence itself and takes no IfExists");
  return { qualifier: match?.[1] as Qualifier, name, ifExists };
}

/** One operator and key of a Condition block. Throws ConditionFault. `IfExists`: an absent key passes. */
export function parseCondition(operator: string, key: string, written: readonly Scalar[]): Condition {
  const { qualifier, name, ifExists } = splitOperator(operator);
  if (written.length === 0) throw new ConditionFault(`${operator} has no value for ${key}`);
  const test = testOf(name, qualifier, key, written);
  return {
    operator,
    key,
    written,
    test: ifExists ? (values) => values(key).length === 0 || test(values) : test,
  };
}
