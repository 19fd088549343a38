/** How secrets are kept at rest. The site's own sealer is made in server/; tests have plain ones. */

export interface Sealer {
  /** Text that nobody reads without this site's key. */
  seal(plain: string): string;
  /** Throws when the text was not sealed by this site. */
  open(sealed: string): string;
}
