/** Nominal typing for values that must not be swapped; only `parseX` functions make them. */
declare const brand: unique symbol;
export type Brand<T, B extends string> = T & { readonly [brand]: B };
