/** A walk over two streams of keys in byte order, side by side. Pure but for pulling. */
import { compareUtf8 } from "../model/key-order.ts";

export interface Keyed {
  readonly key: string;
}

export type Step<L, R> =
  | { readonly kind: "left"; readonly left: L }
  | { readonly kind: "right"; readonly right: R }
  | { readonly kind: "both"; readonly left: L; readonly right: R };

/** Throws when a side is out of order: then no conclusion about what is absent would hold. */
export async function* march<L extends Keyed, R extends Keyed>(
  left: AsyncGenerator<L>,
  right: AsyncGenerator<R>,
): AsyncGenerator<Step<L, R>> {
  const lefts = ordered(left, "here");
  const rights = ordered(right, "at the target");
  try {
    let [l, r] = await Promise.all([lefts.next(), rights.next()]);
    while (!l.done || !r.done) {
      const order = l.done ? 1 : r.done ? -1 : compareUtf8(l.value.key, r.value.key);
      if (order === 0) {
        yield { kind: "both", left: l.value as L, right: r.value as R };
        [l, r] = await Promise.all([lefts.next(), rights.next()]);
      } else if (order < 0) {
        yield { kind: "left", left: l.value as L };
        l = await lefts.next();
      } else {
        yield { kind: "right", right: r.value as R };
        r = await rights.next();
      }
    }
  } finally {
    await Promise.allSettled([lefts.return(undefined), rights.return(undefined)]);
  }
}

async function* ordered<T extends Keyed>(stream: AsyncGenerator<T>, where: string): AsyncGenerator<T> {
  let before: string | undefined;
  for await (const item of stream) {
    if (before !== undefined && compareUtf8(before, item.key) >= 0) {
      throw new Error(`the listing ${where} is out of order: "${item.key}" after "${before}"`);
    }
    before = item.key;
    yield item;
  }
}
