"""boto3: client, transfer manager, presigned URLs and forms, versions, policies, STS."""

import io
import os
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError
from day import SITE, refused, run, step

KEYS = {"aws_access_key_id": SITE["accessKey"], "aws_secret_access_key": SITE["secretKey"]}
COMMON = {"endpoint_url": SITE["url"], "region_name": "us-east-1"}
PATH_STYLE = Config(s3={"addressing_style": "path"}, signature_version="s3v4", retries={"max_attempts": 1})
s3 = boto3.client("s3", **COMMON, **KEYS, config=PATH_STYLE)
B = "boto3-day"
MIB = 1024 * 1024
LARGE = os.urandom(17 * MIB + 3)


def body(key, **more):
    return s3.get_object(Bucket=B, Key=key, **more)["Body"].read()


def status(url):
    try:
        return urllib.request.urlopen(url).status
    except urllib.error.HTTPError as error:
        return error.code


@step("buckets")
def buckets():
    s3.create_bucket(Bucket=B)
    s3.head_bucket(Bucket=B)
    assert B in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    s3.put_bucket_tagging(Bucket=B, Tagging={"TagSet": [{"Key": "team", "Value": "x"}]})
    assert s3.get_bucket_tagging(Bucket=B)["TagSet"] == [{"Key": "team", "Value": "x"}]
    refused(ClientError, ["404", "NoSuchBucket"], lambda: s3.head_bucket(Bucket="no-such-bucket"))


@step("objects")
def objects():
    s3.put_object(Bucket=B, Key="small", Body=b"hello")
    s3.put_object(Bucket=B, Key="empty", Body=b"")
    assert body("small") == b"hello" and body("empty") == b""
    assert body("small", Range="bytes=1-3") == b"ell"
    for name in ("CRC32", "SHA1", "SHA256"):
        put = s3.put_object(Bucket=B, Key=name, Body=b"sum", ChecksumAlgorithm=name)
        got = s3.head_object(Bucket=B, Key=name, ChecksumMode="ENABLED")
        assert got[f"Checksum{name}"] == put[f"Checksum{name}"]
    refused(ClientError, ["NoSuchKey"], lambda: body("missing"))
    refused(ClientError, ["412", "PreconditionFailed"],
            lambda: s3.get_object(Bucket=B, Key="small", IfMatch='"00"'))
    refused(ClientError, ["304"], lambda: s3.get_object(
        Bucket=B, Key="small", IfNoneMatch=s3.head_object(Bucket=B, Key="small")["ETag"]))


@step("multipart")
def multipart():
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=4)
    s3.upload_fileobj(io.BytesIO(LARGE), B, "large", Config=config)
    back = io.BytesIO()
    s3.download_fileobj(B, "large", back, Config=config)
    assert back.getvalue() == LARGE
    assert s3.head_object(Bucket=B, Key="large")["ETag"].endswith('-4"')
    upload = s3.create_multipart_upload(Bucket=B, Key="half")["UploadId"]
    s3.upload_part(Bucket=B, Key="half", UploadId=upload, PartNumber=1, Body=b"x")
    assert len(s3.list_parts(Bucket=B, Key="half", UploadId=upload)["Parts"]) == 1
    assert [one["Key"] for one in s3.list_multipart_uploads(Bucket=B)["Uploads"]] == ["half"]
    s3.abort_multipart_upload(Bucket=B, Key="half", UploadId=upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=B)


@step("odd names")
def odd_names():
    for name in SITE["oddNames"]:
        s3.put_object(Bucket=B, Key=f"odd/{name}", Body=name.encode())
        assert body(f"odd/{name}") == name.encode(), name


@step("listing")
def listing():
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=B, Prefix="odd/", PaginationConfig={"PageSize": 3})
    found = [item["Key"][4:] for page in pages for item in page["Contents"]]
    assert sorted(found) == sorted(SITE["oddNames"]), found
    old = s3.list_objects(Bucket=B, Delimiter="/")
    assert [one["Prefix"] for one in old["CommonPrefixes"]] == ["odd/"]


@step("copy")
def copy():
    s3.copy_object(Bucket=B, Key="copied", CopySource={"Bucket": B, "Key": f"odd/{SITE['oddNames'][0]}"})
    assert body("copied") == SITE["oddNames"][0].encode()
    upload = s3.create_multipart_upload(Bucket=B, Key="joined")["UploadId"]
    parts = []
    for number, span in ((1, f"bytes=0-{6 * MIB - 1}"), (2, f"bytes={6 * MIB}-{len(LARGE) - 1}")):
        answer = s3.upload_part_copy(Bucket=B, Key="joined", UploadId=upload, PartNumber=number,
                                     CopySource={"Bucket": B, "Key": "large"}, CopySourceRange=span)
        parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
    s3.complete_multipart_upload(Bucket=B, Key="joined", UploadId=upload, MultipartUpload={"Parts": parts})
    assert body("joined") == LARGE


@step("metadata")
def metadata():
    s3.put_object(Bucket=B, Key="marked", Body=b"x", ContentType="text/x", CacheControl="no-store",
                  Metadata={"colour": "red"}, Tagging="a=1&b=two%20words")
    head = s3.head_object(Bucket=B, Key="marked")
    assert (head["ContentType"], head["CacheControl"], head["Metadata"]) == ("text/x", "no-store", {"colour": "red"})
    tags = s3.get_object_tagging(Bucket=B, Key="marked")["TagSet"]
    assert sorted((tag["Key"], tag["Value"]) for tag in tags) == [("a", "1"), ("b", "two words")]
    s3.put_object_tagging(Bucket=B, Key="marked", Tagging={"TagSet": [{"Key": "c", "Value": "3"}]})
    s3.delete_object_tagging(Bucket=B, Key="marked")
    assert s3.get_object_tagging(Bucket=B, Key="marked")["TagSet"] == []
    parts = s3.get_object_attributes(Bucket=B, Key="large", ObjectAttributes=["ETag", "ObjectSize", "ObjectParts"])
    assert parts["ObjectSize"] == len(LARGE) and parts["ObjectParts"]["TotalPartsCount"] == 4


@step("versions")
def versions():
    s3.put_bucket_versioning(Bucket=B, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=B)["Status"] == "Enabled"
    first = s3.put_object(Bucket=B, Key="history", Body=b"one")["VersionId"]
    s3.put_object(Bucket=B, Key="history", Body=b"two")
    marker = s3.delete_object(Bucket=B, Key="history")
    assert marker["DeleteMarker"] is True
    refused(ClientError, ["NoSuchKey"], lambda: body("history"))
    assert body("history", VersionId=first) == b"one"
    s3.delete_object(Bucket=B, Key="history", VersionId=marker["VersionId"])
    assert body("history") == b"two"
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=B, Prefix="history", PaginationConfig={"PageSize": 1})
    assert len([one for page in pages for one in page.get("Versions", [])]) == 2


@step("presigned")
def presigned():
    url = s3.generate_presigned_url("get_object", Params={"Bucket": B, "Key": "small"}, ExpiresIn=60)
    assert urllib.request.urlopen(url).read() == b"hello"
    put = s3.generate_presigned_url("put_object", Params={"Bucket": B, "Key": "by url"}, ExpiresIn=60)
    urllib.request.urlopen(urllib.request.Request(put, data=b"sent", method="PUT", headers={"Content-Type": ""}))
    assert body("by url") == b"sent"
    form = s3.generate_presigned_post(B, "by form", Conditions=[["content-length-range", 1, 100]], ExpiresIn=60)
    lines = []
    for name, value in form["fields"].items():
        lines.append(f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n')
    lines.append('--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nposted\r\n--b--\r\n')
    request = urllib.request.Request(form["url"], data="".join(lines).encode(), method="POST",
                                     headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert urllib.request.urlopen(request).status == 204
    assert body("by form") == b"posted"


@step("policy")
def policy():
    text = ('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",'
            f'"Resource":"arn:aws:s3:::{B}/small"}}]}}')
    s3.put_bucket_policy(Bucket=B, Policy=text)
    assert status(f"{SITE['url']}/{B}/small") == 200
    assert "s3:GetObject" in s3.get_bucket_policy(Bucket=B)["Policy"]
    s3.delete_bucket_policy(Bucket=B)
    assert status(f"{SITE['url']}/{B}/small") == 403


@step("admin")
def admin():
    """Temporary credentials, limited by a session policy."""
    sts = boto3.client("sts", **COMMON, **KEYS)
    only = ('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject",'
            f'"Resource":"arn:aws:s3:::{B}/small"}}]}}')
    got = sts.assume_role(RoleArn="arn:aws:iam::000000000000:role/any", RoleSessionName="day",
                          DurationSeconds=900, Policy=only)["Credentials"]
    session = boto3.client("s3", **COMMON, aws_access_key_id=got["AccessKeyId"], config=PATH_STYLE,
                           aws_secret_access_key=got["SecretAccessKey"], aws_session_token=got["SessionToken"])
    assert session.get_object(Bucket=B, Key="small")["Body"].read() == b"hello"
    refused(ClientError, ["AccessDenied"], lambda: session.get_object(Bucket=B, Key="large"))
    refused(ClientError, ["AccessDenied"], lambda: session.delete_object(Bucket=B, Key="small"))


@step("delete")
def delete():
    bucket = boto3.resource("s3", **COMMON, **KEYS, config=PATH_STYLE).Bucket(B)
    s3.delete_objects(Bucket=B, Delete={"Objects": [{"Key": "small"}, {"Key": "empty"}]})
    refused(ClientError, ["BucketNotEmpty"], bucket.delete)
    bucket.object_versions.delete()
    bucket.delete()
    refused(ClientError, ["404", "NoSuchBucket"], lambda: s3.head_bucket(Bucket=B))


run()
