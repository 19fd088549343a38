/** What policies decide, as data: see shape.ts for the form. */
import { BUCKET_DECISIONS } from "./bucket.ts";
import { CONDITION_DECISIONS } from "./conditions.ts";
import { MATCHING_DECISIONS } from "./matching.ts";
import type { Decisions } from "./shape.ts";

export const DECISIONS: readonly Decisions[] = [...MATCHING_DECISIONS, ...CONDITION_DECISIONS, ...BUCKET_DECISIONS];
