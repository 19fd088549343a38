/**
 * Every error code that this server answers, with its HTTP status and default text (s3-api.md 21 and 22, admin-api.md 1.4,
 * replication.md 1.3, 2.4, 7.1). Where MinIO and AWS differ the choice is the proposal of s3-api.md 22.
 */
interface ErrorEntry {
  readonly status: number;
  readonly message: string;
}

type Row = readonly [code: string, status: number, message: string];

const GENERAL: readonly Row[] = [
  ["AccessDenied", 403, "Access Denied."],
  ["AccessForbidden", 403, "The CORS configuration does not allow this request."],
  ["AllAccessDisabled", 403, "All access to this resource has been disabled."],
  ["BadRequest", 400, "The request cannot be understood."],
  ["InternalError", 500, "The server met an internal error; please try again."],
  ["InvalidArgument", 400, "An argument of the request is not valid."],
  ["InvalidRequest", 400, "The request is not valid."],
  ["OperationAborted", 409, "A conflicting operation is in progress on this resource; please try again."],
  ["MethodNotAllowed", 405, "The specified method is not allowed against this resource."],
  ["MissingContentLength", 411, "The Content-Length header is required."],
  ["NotImplemented", 501, "This functionality is not implemented."],
  ["PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold."],
  ["RequestTimeout", 503, "The request took too long to arrive."],
  ["SlowDown", 503, "Please reduce your request rate."],
  ["SlowDownRead", 503, "Too many reads wait; please try again later."],
  ["SlowDownWrite", 503, "Too many writes wait; please try again later."],
  ["XMinioStorageFull", 507, "The storage has reached its minimum of free space; delete some objects first."],
  ["XMinioInsecureClientRequest", 400, "A TLS listener cannot answer a request that is not encrypted."],
];

const AUTHENTICATION: readonly Row[] = [
  ["AuthorizationHeaderMalformed", 400, "The authorization header is malformed."],
  ["AuthorizationParametersError", 400, "The parameters of the authorization are not valid."],
  ["AuthorizationQueryParametersError", 400, "The query parameters of the authorization are not valid."],
  ["InvalidAccessKeyId", 403, "The Access Key Id you provided does not exist in our records."],
  ["InvalidTokenId", 403, "The security token included in the request is invalid"],
  ["MalformedDate", 400, "The date is not in the required format."],
  ["MissingFields", 400, "Fields are missing in the request."],
  ["MissingSecurityHeader", 400, "A required security header is missing."],
  ["MalformedPOSTRequest", 400, "The body of the POST request is not well-formed multipart/form-data."],
  ["InvalidPolicyDocument", 400, "The content of the form does not meet the conditions of the policy document."],
  ["RequestTimeTooSkewed", 403, "The difference between the request time and the server's time is too large."],
  [
    "SignatureDoesNotMatch",
    403,
    "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
  ],
];

const BODY: readonly Row[] = [
  ["BadDigest", 400, "The Content-Md5 or checksum you specified did not match what we received."],
  ["EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size."],
  ["EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed object size."],
  ["ExcessData", 400, "More data was sent than the declared length."],
  ["IncompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header."],
  ["InvalidDigest", 400, "The Content-Md5 you specified is not valid."],
  ["KeyTooLongError", 400, "Your key is too long"],
  ["MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema"],
  ["MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size."],
  ["MissingContentMD5", 400, "Missing required header for this request: Content-Md5."],
  ["XAmzContentSHA256Mismatch", 400, "The provided 'x-amz-content-sha256' header does not match what was computed."],
];

const BUCKETS: readonly Row[] = [
  ["BucketAlreadyExists", 409, "The requested bucket name is not available."],
  [
    "BucketAlreadyOwnedByYou",
    409,
    "Your previous request to create the named bucket succeeded and you already own it.",
  ],
  ["BucketNotEmpty", 409, "The bucket you tried to delete is not empty"],
  ["IllegalVersioningConfigurationException", 400, "The versioning configuration is not valid."],
  ["InvalidBucketName", 400, "The specified bucket is not valid."],
  ["InvalidBucketState", 409, "The request is not valid with the current state of the bucket."],
  ["InvalidRegion", 400, "The region is not valid."],
  ["InvalidStorageClass", 400, "The storage class you specified is not valid."],
  ["MalformedPolicy", 400, "The policy is not valid."],
  ["PolicyTooLarge", 400, "The policy exceeds the maximum allowed document size."],
  ["NoSuchBucket", 404, "The specified bucket does not exist"],
  ["NoSuchBucketPolicy", 404, "The bucket policy does not exist"],
  ["InvalidBucketAclWithObjectOwnership", 400, "A bucket whose owner alone counts cannot be created with an ACL"],
  ["AccessControlListNotSupported", 400, "The bucket does not allow ACLs"],
  ["NoSuchPublicAccessBlockConfiguration", 404, "The public access block configuration was not found"],
  ["OwnershipControlsNotFoundError", 404, "The bucket ownership controls were not found"],
  ["NoSuchCORSConfiguration", 404, "The CORS configuration does not exist"],
  ["NoSuchLifecycleConfiguration", 404, "The lifecycle configuration does not exist"],
  ["NoSuchTagSet", 404, "The TagSet does not exist"],
  ["NoSuchWebsiteConfiguration", 404, "The specified bucket does not have a website configuration"],
  ["ObjectLockConfigurationNotFoundError", 404, "Object Lock configuration does not exist for this bucket"],
  ["ServerSideEncryptionConfigurationNotFoundError", 404, "The server side encryption configuration was not found"],
  ["XMinioAdminBucketQuotaExceeded", 400, "The bucket quota is exceeded."],
];

const OBJECTS: readonly Row[] = [
  ["InvalidObjectState", 403, "The operation is not valid for the object's state."],
  [
    "InvalidRedirectLocation",
    400,
    "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
  ],
  ["InvalidPart", 400, "One or more of the specified parts could not be found or its ETag does not match."],
  ["InvalidPartNumber", 416, "The requested part number is not satisfiable"],
  ["InvalidPartOrder", 400, "The list of parts was not in ascending order."],
  ["InvalidRange", 416, "The requested range is not satisfiable"],
  ["InvalidRetentionPeriod", 400, "The retention period must be a positive whole number."],
  ["InvalidTag", 400, "The tag provided was not a valid tag."],
  ["NoSuchKey", 404, "The specified key does not exist."],
  ["NoSuchObjectLockConfiguration", 404, "The specified object does not have a ObjectLock configuration"],
  ["NoSuchUpload", 404, "The specified multipart upload does not exist; it may have been aborted or completed."],
  ["NoSuchVersion", 404, "The specified version does not exist."],
  ["XMinioInvalidObjectName", 400, "Object name contains unsupported characters."],
  ["XMinioInvalidResourceName", 400, 'Resource name contains bad components such as ".." or ".".'],
  ["XMinioInvalidResource", 400, "The resource name is not valid."],
  [
    "XResilverObjectDamaged",
    500,
    "The stored bytes of this version are damaged; it waits for repair from another site.",
  ],
  ["KMS.NotFoundException", 400, "The encryption key does not exist."],
  ["KMS.InvalidCiphertextException", 400, "The data key was not sealed with the encryption key of this name."],
  ["KMS.AccessDeniedException", 403, "The key server does not let this site use the encryption key."],
  ["XResilverKeyServerUnavailable", 503, "The key server gives no answer; please try again."],
  ["kms:KeyNotFound", 404, "The encryption key does not exist."],
  ["XMinioKMSKeyExists", 409, "The encryption key exists already."],
];

const REPLICATION: readonly Row[] = [
  ["ReplicationConfigurationNotFoundError", 404, "The replication configuration was not found"],
  ["RemoteDestinationNotFoundError", 404, "The remote destination bucket does not exist"],
  ["ReplicationDestinationMissingLockError", 400, "The remote bucket needs object lock, as the source bucket has it."],
  ["RemoteTargetNotVersionedError", 400, "The remote bucket must have versioning enabled."],
  ["ReplicationSourceNotVersionedError", 400, "The source bucket must have versioning enabled."],
  [
    "ReplicationPermissionCheck",
    400,
    "X-Minio-Source-Replication-Check cannot be specified in request. Request cannot be completed",
  ],
  ["XMinioReplicationNoExistingObjects", 400, "No rule for this target replicates existing objects."],
  ["XMinioAdminReplicationBandwidthLimitError", 400, "The bandwidth limit of a remote target must be at least 100MBps"],
  ["XMinioAdminReplicationRemoteConnectionError", 503, "Remote service connection error"],
  ["XMinioAdminRemoteIdenticalToSource", 400, "The remote target cannot be identical to the source"],
  ["XMinioAdminBucketRemoteAlreadyExists", 400, "The remote target exists already"],
  ["XMinioAdminRemoteRemoveDisallowed", 400, "This ARN is in use by an existing configuration"],
  ["XMinioAdminRemoteARNTypeInvalid", 400, "The type of the bucket remote ARN is not valid"],
  ["XMinioAdminRemoteArnInvalid", 400, "The bucket remote ARN does not have correct format"],
  ["XMinioAdminRemoteTargetNotFoundError", 404, "The remote target does not exist"],
];

const ADMIN: readonly Row[] = [
  ["XMinioAdminVersionMismatch", 426, "This admin API is not known to the server."],
  ["XMinioAdminInvalidArgument", 400, "Invalid arguments specified."],
  ["XMinioAdminConfigBadJSON", 400, "The configuration cannot be opened or is not valid JSON."],
  ["XMinioAdminConfigTooLarge", 400, "The configuration is larger than allowed."],
  ["XMinioAdminNoSuchUser", 404, "The specified user does not exist."],
  ["XMinioAdminNoSuchGroup", 404, "The specified group does not exist."],
  ["XMinioAdminNoSuchPolicy", 404, "The canned policy does not exist."],
  ["XMinioAdminNoSuchAccessKey", 404, "The specified access key does not exist."],
  ["XMinioInvalidIAMCredentials", 403, "The access key cannot be used here."],
  ["XMinioAdminInvalidAccessKey", 400, "The access key is not valid: it needs 3 to 20 characters."],
  ["XMinioAdminInvalidSecretKey", 400, "The secret key is not valid: it needs 8 to 40 characters."],
  ["XMinioAdminNoAccessKey", 400, "A secret key needs an access key."],
  ["XMinioAdminNoSecretKey", 400, "An access key needs a secret key."],
  ["XMinioInvalidUTF", 400, "The text is not valid UTF-8."],
  ["XMinioInvalidGroupName", 400, "The group name is not valid."],
  ["XMinioAdminGroupNotEmpty", 400, "The group has members; remove them first."],
  ["XMinioAdminGroupDisabled", 400, "The group is disabled."],
  ["XMinioAdminPolicyChangeAlreadyApplied", 400, "The specified policy change is already in effect."],
  ["XMinioIAMPolicyInUse", 400, "The policy is attached to a user or a group."],
  ["XMinioMalformedIAMPolicy", 400, "The policy document is not valid."],
  ["PolicyInvalidName", 400, "The policy name must not contain a comma."],
  ["XMinioIAMActionNotAllowed", 403, "This action is not allowed on these credentials."],
  ["XMinioIAMServiceAccountNotAllowed", 400, "The service account is not allowed here."],
  ["XMinioIAMServiceAccountSessionPolicyTooLarge", 400, "The session policy is too large."],
  ["XMinioConfigError", 400, "The configuration is not valid."],
  ["XMinioAdminNoSuchConfigTarget", 400, "The configuration target does not exist."],
  ["XMinioAdminConfigEnvOverridden", 400, "The setting is fixed by the environment."],
  ["XMinioHealNotImplemented", 400, "Healing is not implemented on this server."],
  ["XMinioHealNoSuchProcess", 400, "There is no such healing process."],
  ["XMinioHealInvalidClientToken", 400, "The client token of the healing process is not valid."],
  ["XMinioHealAlreadyRunning", 400, "Healing is already running on this path."],
];

const ROWS: readonly Row[] = [...GENERAL, ...AUTHENTICATION, ...BODY, ...BUCKETS, ...OBJECTS, ...REPLICATION, ...ADMIN];

/** Every code as often as the table names it, which is once. */
export const ERROR_CODES: readonly string[] = ROWS.map(([code]) => code);

const TABLE: ReadonlyMap<string, ErrorEntry> = new Map(
  ROWS.map(([code, status, message]) => [code, { status, message }]),
);

/** HTTP status of a code; 500 for one that is not in the table. */
export function errorStatus(code: string): number {
  return TABLE.get(code)?.status ?? 500;
}

/** Default text of a code; the code itself when it is not in the table. */
export function errorMessage(code: string): string {
  return TABLE.get(code)?.message ?? code;
}
