/** Every client that is tried, in the order of the table. */
import { awsSdkClient } from "./aws-sdk.ts";
import { awsClients } from "./awscli.ts";
import type { Client } from "./day.ts";
import { minioJsClient } from "./minio-js.ts";
import { pythonClients } from "./python.ts";
import { rcloneClient } from "./rclone.ts";
import { resticClient } from "./restic.ts";
import { s3cmdClient } from "./s3cmd.ts";

export function allClients(): readonly Client[] {
  return [
    awsSdkClient(),
    minioJsClient(),
    ...pythonClients(),
    ...awsClients(),
    s3cmdClient(),
    rcloneClient(),
    resticClient(),
  ];
}
