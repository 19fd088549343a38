/** Documents about who may reach a bucket: public access block and ownership controls. Both directions. */
import type { PublicAccessBlock } from "../model/bucket.ts";
import { StoreError } from "../model/errors.ts";
import { booleanOf, document, parseXmlRoot, tag, wrap } from "./xml.ts";

/** PublicAccessBlockConfiguration; what it does not name is off. */
export function parsePublicAccessBlock(body: Buffer): PublicAccessBlock {
  const root = parseXmlRoot(body, "PublicAccessBlockConfiguration");
  return {
    blockPublicAcls: booleanOf(root, "BlockPublicAcls", false),
    ignorePublicAcls: booleanOf(root, "IgnorePublicAcls", false),
    blockPublicPolicy: booleanOf(root, "BlockPublicPolicy", false),
    restrictPublicBuckets: booleanOf(root, "RestrictPublicBuckets", false),
  };
}

export function renderPublicAccessBlock(block: PublicAccessBlock): string {
  return document(
    "PublicAccessBlockConfiguration",
    tag("BlockPublicAcls", block.blockPublicAcls) +
      tag("IgnorePublicAcls", block.ignorePublicAcls) +
      tag("BlockPublicPolicy", block.blockPublicPolicy) +
      tag("RestrictPublicBuckets", block.restrictPublicBuckets),
  );
}

/** ObjectOwnership of OwnershipControls: exactly one rule. The word is not checked here. */
export function parseOwnershipControls(body: Buffer): string {
  const rules = parseXmlRoot(body, "OwnershipControls").all("Rule");
  const ownership = rules[0]?.value("ObjectOwnership")?.trim();
  if (rules.length !== 1 || ownership === undefined || ownership === "") {
    throw new StoreError("MalformedXML", { message: "OwnershipControls need one Rule with an ObjectOwnership." });
  }
  return ownership;
}

export function renderOwnershipControls(ownership: string): string {
  return document("OwnershipControls", wrap("Rule", tag("ObjectOwnership", ownership)));
}
