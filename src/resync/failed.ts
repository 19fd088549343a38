/** The run cannot go on: the record becomes Failed with this text. */
export class ResyncFailed extends Error {
  override name = "ResyncFailed";
}
