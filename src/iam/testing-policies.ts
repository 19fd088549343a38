/** Pieces of policy documents for tests. */
export type Json = Record<string, unknown>;

export const arn = (pattern: string): string => `arn:aws:s3:::${pattern}`;
export const doc = (...Statement: Json[]): string => JSON.stringify({ Version: "2012-10-17", Statement });
export const one = (statement: Json): string => doc({ Effect: "Allow", ...statement });
export const get = (Condition: Json): string => one({ Action: ["s3:GetObject"], Resource: arn("b/*"), Condition });
export const list = (Condition: Json): string => one({ Action: ["s3:ListBucket"], Resource: arn("b"), Condition });
export const put = (Condition: Json): string => one({ Action: ["s3:PutObject"], Resource: arn("b/*"), Condition });
export const G = "s3:GetObject";
export const L = "s3:ListBucket";
export const P = "s3:PutObject";
