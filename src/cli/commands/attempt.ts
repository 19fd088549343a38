/** Small things that several commands need around a request. */
import { answeredWith } from "../../client/errors.ts";
import { CommandError } from "../command.ts";
import { UsageError } from "../usage-error.ts";

/** The promise's value; its failure as `WHAT. REASON.` (a CommandError keeps its own words). */
export async function attempt<T>(what: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(what, error);
  }
}

/** The promise's value, or `fallback` when the server answered with one of `codes`. */
export async function unlessAnswered<T, F>(work: Promise<T>, fallback: F, ...codes: string[]): Promise<T | F> {
  try {
    return await work;
  } catch (error) {
    if (answeredWith(error, ...codes)) return fallback;
    throw error;
  }
}

/** `args` when there are between `min` and `max` of them; a usage error naming `form` otherwise. */
export function countArgs(args: readonly string[], min: number, max: number, form: string): readonly string[] {
  if (args.length < min || args.length > max) throw new UsageError(`Expected ${form}`);
  return args;
}
