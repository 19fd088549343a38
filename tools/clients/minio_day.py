"""MinIO's Python SDK, and its client of the admin API."""

import io
import json
import os
import tempfile
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone

from minio import Minio, MinioAdmin
from minio.commonconfig import ComposeSource, CopySource, Tags
from minio.credentials import StaticProvider
from minio.datatypes import PostPolicy
from minio.deleteobjects import DeleteObject
from minio.error import MinioAdminException, S3Error
from minio.versioningconfig import ENABLED, VersioningConfig
from day import SITE, refused, run, step

HOST = SITE["url"].split("://")[1]
client = Minio(HOST, access_key=SITE["accessKey"], secret_key=SITE["secretKey"], secure=False)
admin = MinioAdmin(endpoint=HOST, credentials=StaticProvider(SITE["accessKey"], SITE["secretKey"]), secure=False)
B = "minio-day"
MIB = 1024 * 1024
LARGE = os.urandom(11 * MIB + 3)


def read(key, **more):
    response = client.get_object(B, key, **more)
    try:
        return response.read()
    finally:
        response.close()
        response.release_conn()


def put(key, data, **more):
    return client.put_object(B, key, io.BytesIO(data), len(data), **more)


def policy_text(resource, *actions, **more):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": actions or ["s3:GetObject"], "Resource": [f"arn:aws:s3:::{resource}"], **more}]})


@step("buckets")
def buckets():
    client.make_bucket(B)
    assert client.bucket_exists(B) and not client.bucket_exists("no-such-bucket")
    assert B in [bucket.name for bucket in client.list_buckets()]
    tags = Tags.new_bucket_tags()
    tags["team"] = "x"
    client.set_bucket_tags(B, tags)
    assert dict(client.get_bucket_tags(B)) == {"team": "x"}
    client.delete_bucket_tags(B)
    refused(S3Error, ["BucketAlreadyOwnedByYou"], lambda: client.make_bucket(B))


@step("objects")
def objects():
    put("small", b"hello")
    put("empty", b"")
    assert read("small") == b"hello" and read("empty") == b""
    assert read("small", offset=1, length=3) == b"ell"
    refused(S3Error, ["NoSuchKey"], lambda: read("missing"))
    refused(S3Error, ["NoSuchKey"], lambda: client.stat_object(B, "missing"))


@step("multipart")
def multipart():
    client.put_object(B, "large", io.BytesIO(LARGE), -1, part_size=5 * MIB)
    assert read("large") == LARGE
    assert client.stat_object(B, "large").etag.endswith("-3")


@step("odd names")
def odd_names():
    for name in SITE["oddNames"]:
        put(f"odd/{name}", name.encode())
        assert read(f"odd/{name}") == name.encode(), name


@step("listing")
def listing():
    found = [one.object_name[4:] for one in client.list_objects(B, prefix="odd/", recursive=True)]
    assert sorted(found) == sorted(SITE["oddNames"]), found
    assert [one.object_name for one in client.list_objects(B) if one.is_dir] == ["odd/"]
    old = client.list_objects(B, prefix="odd/", recursive=True, use_api_v1=True)
    assert len(list(old)) == len(SITE["oddNames"])


@step("copy")
def copy():
    client.copy_object(B, "copied", CopySource(B, f"odd/{SITE['oddNames'][0]}"))
    assert read("copied") == SITE["oddNames"][0].encode()
    client.compose_object(B, "joined", [ComposeSource(B, "large"), ComposeSource(B, "small")])
    assert read("joined") == LARGE + b"hello"


@step("metadata")
def metadata():
    tags = Tags.new_object_tags()
    tags["a"] = "two words"
    put("marked", b"x", content_type="text/x", metadata={"colour": "red"}, tags=tags)
    stat = client.stat_object(B, "marked")
    assert stat.content_type == "text/x" and stat.metadata["x-amz-meta-colour"] == "red"
    assert dict(client.get_object_tags(B, "marked")) == {"a": "two words"}
    client.delete_object_tags(B, "marked")
    assert client.get_object_tags(B, "marked") is None


@step("versions")
def versions():
    client.set_bucket_versioning(B, VersioningConfig(ENABLED))
    assert client.get_bucket_versioning(B).status == ENABLED
    first = put("history", b"one").version_id
    put("history", b"two")
    client.remove_object(B, "history")
    assert read("history", version_id=first) == b"one"
    listed = list(client.list_objects(B, prefix="history", include_version=True))
    assert sorted(one.is_delete_marker for one in listed) == [False, False, True]


@step("presigned")
def presigned():
    assert urllib.request.urlopen(client.presigned_get_object(B, "small")).read() == b"hello"
    url = client.presigned_put_object(B, "by url")
    urllib.request.urlopen(urllib.request.Request(url, data=b"sent", method="PUT"))
    assert read("by url") == b"sent"
    policy = PostPolicy(B, datetime.now(timezone.utc) + timedelta(minutes=1))
    policy.add_equals_condition("key", "by form")
    policy.add_content_length_range_condition(1, 100)
    fields = {"key": "by form", **client.presigned_post_policy(policy)}
    lines = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
             for name, value in fields.items()]
    lines.append('--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nposted\r\n--b--\r\n')
    request = urllib.request.Request(f"{SITE['url']}/{B}", data="".join(lines).encode(), method="POST",
                                     headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert urllib.request.urlopen(request).status == 204
    assert read("by form") == b"posted"


@step("policy")
def policy():
    client.set_bucket_policy(B, policy_text(f"{B}/small", Principal={"AWS": ["*"]}))
    assert urllib.request.urlopen(f"{SITE['url']}/{B}/small").read() == b"hello"
    assert "s3:GetObject" in client.get_bucket_policy(B)
    client.delete_bucket_policy(B)
    refused(urllib.error.HTTPError, ["403"], lambda: urllib.request.urlopen(f"{SITE['url']}/{B}/small"))


@step("admin")
def administration():
    admin.user_add("day-user", "day-user-secret")
    assert "day-user" in admin.user_list()
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(policy_text(f"{B}/*", "s3:GetObject", "s3:GetBucketLocation"))
        file.flush()
        admin.policy_add("day-policy", file.name)
    assert "day-policy" in admin.policy_list()
    admin.policy_set("day-policy", user="day-user")
    user = Minio(HOST, access_key="day-user", secret_key="day-user-secret", secure=False)
    assert user.get_object(B, "small").read() == b"hello"
    refused(S3Error, ["AccessDenied"], lambda: user.remove_object(B, "small"))
    admin.user_disable("day-user")
    refused(S3Error, ["InvalidAccessKeyId"], lambda: user.get_object(B, "small"))
    admin.user_enable("day-user")
    admin.group_add("day-group", ["day-user"])
    assert "day-user" in admin.group_info("day-group")
    admin.attach_policy(["readwrite"], user="day-user")
    assert "readwrite" in admin.get_policy_entities(["day-user"], [], [])
    admin.detach_policy(["readwrite"], user="day-user")
    key = json.loads(admin.add_service_account(access_key="daykey", secret_key="daykey-secret", name="day"))
    assert key["credentials"]["accessKey"] == "daykey"
    assert "daykey" in admin.list_service_account(SITE["accessKey"])
    assert "day" in admin.get_service_account("daykey")
    admin.update_service_account(access_key="daykey", secret_key="another-secret")
    admin.delete_service_account("daykey")
    admin.bucket_quota_set(B, 10 ** 12)
    assert "1000000000000" in admin.bucket_quota_get(B)
    admin.bucket_quota_clear(B)
    assert "online" in admin.info()
    assert "requests_max" in admin.config_get("api")
    admin.config_set("api", {"requests_max": "700"})
    assert "requests_max=700" in admin.config_get("api")
    admin.config_reset("api")
    assert admin.top_locks().strip() in ("[]", "null")
    refused(MinioAdminException, ["NotImplemented"], admin.profile_start)
    admin.policy_unset("day-policy", user="day-user")
    admin.group_remove("day-group", ["day-user"])
    admin.group_remove("day-group")
    admin.policy_remove("day-policy")
    admin.user_remove("day-user")
    assert "day-user" not in admin.user_list()


@step("delete")
def delete():
    client.remove_object(B, "small")
    refused(S3Error, ["BucketNotEmpty"], lambda: client.remove_bucket(B))
    listed = client.list_objects(B, recursive=True, include_version=True)
    faults = list(client.remove_objects(B, [DeleteObject(one.object_name, one.version_id) for one in listed]))
    assert faults == [], faults
    client.remove_bucket(B)
    assert not client.bucket_exists(B)


run()
