"""A store that checks signatures (moto), with one object. Prints endpoint and keys as a line of JSON; runs until stdin ends."""

import json
import os
import sys
import urllib.request

# Creates users and objects unsigned. Then sets the count of unsigned requests to 0, so that every request is checked.

os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "1000000"

import boto3  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://{host}:{port}"
free = {
    "endpoint_url": endpoint,
    "region_name": "eu-central-1",
    "aws_access_key_id": "none",
    "aws_secret_access_key": "none",
}
iam = boto3.client("iam", **free)
iam.create_user(UserName="reader")
allowed = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
iam.put_user_policy(
    UserName="reader",
    PolicyName="read",
    PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
)
key = iam.create_access_key(UserName="reader")["AccessKey"]
s3 = boto3.client("s3", **free)
s3.create_bucket(Bucket="models", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
s3.put_object(Bucket="models", Key=sys.argv[1], Body=sys.argv[2].encode())
plain = {"content-type": "text/plain"}
urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset-auth", data=b"0", headers=plain))
print(
    json.dumps({"endpoint": endpoint, "accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]}),
    flush=True,
)
sys.stdin.read()
server.stop()
