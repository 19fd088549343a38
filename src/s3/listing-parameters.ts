/** Query parameters that all listings share. */
import { invalidArgument, type S3Request } from "./request.ts";

/** A page size: `fallback` when absent; negative or not a number is InvalidArgument. Larger ones are returned as asked. */
export function pageSize(text: string | undefined, name: string, fallback: number): number {
  if (text === undefined || text === "") return fallback;
  const size = Number(text);
  if (!/^\d{1,10}$/.test(text) || size > 2 ** 31 - 1)
    throw invalidArgument(`Argument ${name} must be an integer between 0 and 2147483647`);
  return size;
}

/** `encoding-type=url` was asked; another value is InvalidArgument. */
export function urlEncoding(request: S3Request): boolean {
  const text = request.query.get("encoding-type");
  if (text === undefined || text === "") return false;
  if (text.toLowerCase() !== "url") throw invalidArgument("Invalid Encoding Method specified in Request");
  return true;
}
