/** What `admin user list` and `info` print (captures.md 8). Pure. */

/** One user as the server lists it (admin-api.md 3.1). */
export interface UserEntry {
  readonly policyName?: string | undefined;
  readonly status?: string | undefined;
  readonly memberOf?: readonly string[] | null | undefined;
  readonly userAuthInfo?: { readonly type?: string; readonly authServer?: string } | undefined;
}

export interface Membership {
  readonly name: string;
  readonly policies: readonly string[];
}

/** STATUS ACCESS POLICY in columns 9, 20 and 20 wide. */
export function userListLine(accessKey: string, user: UserEntry): string {
  const cells = [(user.status ?? "").padEnd(9), accessKey.padEnd(20), (user.policyName ?? "").padEnd(20)];
  return cells.join("  ").trimEnd();
}

export function userListJson(
  accessKey: string,
  user: UserEntry,
  memberOf: readonly Membership[],
): Record<string, unknown> {
  return {
    status: "success",
    accessKey,
    ...(user.policyName === undefined || user.policyName === "" ? {} : { policyName: user.policyName }),
    userStatus: user.status ?? "",
    ...(memberOf.length === 0 ? {} : { memberOf }),
  };
}

export function userInfoText(accessKey: string, user: UserEntry, memberOf: readonly Membership[]): string {
  const auth = user.userAuthInfo;
  return [
    `AccessKey: ${accessKey}`,
    `Status: ${user.status ?? ""}`,
    `PolicyName: ${user.policyName ?? ""}`,
    `MemberOf: [${memberOf.map((group) => group.name).join(", ")}]`,
    ...(auth?.type === undefined || auth.type === "" ? [] : [`Authentication: ${authenticated(auth)}`]),
  ].join("\n");
}

function authenticated(auth: { readonly type?: string; readonly authServer?: string }): string {
  return auth.authServer === undefined || auth.authServer === ""
    ? (auth.type ?? "")
    : `${auth.type}/${auth.authServer}`;
}

export function userInfoJson(
  accessKey: string,
  user: UserEntry,
  memberOf: readonly Membership[],
): Record<string, unknown> {
  const auth = user.userAuthInfo;
  const authentication = auth?.type === undefined || auth.type === "" ? {} : { authentication: authenticated(auth) };
  return { ...userListJson(accessKey, user, memberOf), ...authentication };
}
