/** IP addresses and CIDR blocks for the IpAddress conditions. An IPv4 address inside IPv6 (`::ffff:a.b.c.d`) is the IPv4 one. */

export interface IpBlock {
  readonly family: 4 | 6;
  readonly address: bigint;
  /** Leading bits that count. */
  readonly bits: number;
}

const IPV4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;
const GROUP = /^[0-9a-f]{1,4}$/i;
const MAPPED_V4 = 0xffffn << 32n;

function parseV4(text: string): bigint | undefined {
  const match = IPV4.exec(text);
  if (match === null) return undefined;
  let out = 0n;
  for (const part of match.slice(1)) {
    const byte = Number(part);
    if (byte > 255) return undefined;
    out = (out << 8n) | BigInt(byte);
  }
  return out;
}

function groupsOf(text: string): string[] | undefined {
  if (text === "") return [];
  const groups = text.split(":");
  const last = groups.at(-1) ?? "";
  if (last.includes(".")) {
    const v4 = parseV4(last);
    if (v4 === undefined) return undefined;
    groups.splice(-1, 1, (v4 >> 16n).toString(16), (v4 & 0xffffn).toString(16));
  }
  return groups.every((group) => GROUP.test(group)) ? groups : undefined;
}

function parseV6(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0] ?? "");
  const tail = halves.length === 2 ? groupsOf(halves[1] ?? "") : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => "0"), ...tail];
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

/** A plain address as a block of all its bits; undefined when it is none. A zone (`%eth0`) is dropped. */
export function parseIp(text: string): IpBlock | undefined {
  const plain = text.split("%")[0] ?? "";
  const v4 = parseV4(plain);
  if (v4 !== undefined) return { family: 4, address: v4, bits: 32 };
  if (!plain.includes(":")) return undefined;
  const v6 = parseV6(plain);
  if (v6 === undefined) return undefined;
  if (v6 >> 32n === MAPPED_V4 >> 32n) return { family: 4, address: v6 & 0xffffffffn, bits: 32 };
  return { family: 6, address: v6, bits: 128 };
}

/** `address` or `address/bits`; undefined when it is neither. */
export function parseIpBlock(text: string): IpBlock | undefined {
  const [address = "", bits, ...rest] = text.split("/");
  const base = parseIp(address);
  if (base === undefined || rest.length > 0) return undefined;
  if (bits === undefined) return base;
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > base.bits) return undefined;
  return { ...base, bits: Number(bits) };
}

export function ipInBlock(ip: IpBlock, block: IpBlock): boolean {
  if (ip.family !== block.family) return false;
  const shift = BigInt((ip.family === 4 ? 32 : 128) - block.bits);
  return ip.address >> shift === block.address >> shift;
}
