/** Failures of TLS in words: what is wrong with the certificate, and what to do about it. */

const UNKNOWN_AUTHORITY =
  "its certificate comes from an authority that is not trusted here. Put the authority's certificate (PEM) into the folder " +
  "CAs: ~/.mc/certs/CAs for mc, CAs in the server's --certs-dir for replication";

/** By the code of Node's error. */
const WORDS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  CERT_HAS_EXPIRED: "its certificate has ended. Renew public.crt there; it is read anew without a restart",
  CERT_NOT_YET_VALID: "its certificate is not valid yet. Compare the clocks of both machines",
  CERT_REVOKED: "its certificate was revoked. It needs a new one",
  EPROTO: "it does not speak TLS as this client does. If it has no certificate, write http:// instead of https://",
  ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS. Write http:// instead of https://",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "it does not speak TLS. Write http:// instead of https://",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "it has no TLS version in common with this client; 1.2 is the least",
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: "it has no TLS version in common with this client; 1.2 is the least",
};

/** The names that a refused certificate is for, as the error carries them. */
function namesIn(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  const cert: unknown = Reflect.get(cause, "cert");
  const names: unknown = typeof cert === "object" && cert !== null ? Reflect.get(cert, "subjectaltname") : undefined;
  return typeof names === "string" && names !== "" ? names : namesIn(cause.cause);
}

/** Undefined: it was not TLS that failed. */
export function tlsWords(code: string, cause: unknown): string | undefined {
  if (code !== "ERR_TLS_CERT_ALTNAME_INVALID") return WORDS[code];
  const names = namesIn(cause);
  const held = names === undefined ? "other names" : `other names (${names})`;
  return `its certificate is for ${held}. Use one of these, or have a certificate made for the name that you use`;
}
