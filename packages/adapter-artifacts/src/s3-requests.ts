/**
 * Requests to an S3-compatible store, configured by AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
 * AWS_REGION or AWS_DEFAULT_REGION (default us-east-1), AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL. Without keys requests
 * are unsigned.
 */
import { AppError } from '@equipoise/core/model';
import { AwsClient } from 'aws4fetch';
import type { ArtifactAddress } from './artifact-address.js';

type S3Address = Extract<ArtifactAddress, { readonly kind: 's3' }>;

export type Environment = Readonly<Record<string, string | undefined>>;

/** Key in the encoding that the signature requires. */
const encoded = (key: string): string =>
  key
    .split('/')
    .map((part) =>
      encodeURIComponent(part).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`),
    )
    .join('/');

function objectUrl({ bucket, key }: S3Address, environment: Environment, region: string): string {
  const endpoint = environment['AWS_ENDPOINT_URL_S3'] || environment['AWS_ENDPOINT_URL'];
  // The certificate does not match a bucket name with dots as a host name.
  if (!endpoint && !bucket.includes('.')) return `https://${bucket}.s3.${region}.amazonaws.com/${encoded(key)}`;
  const base = endpoint || `https://s3.${region}.amazonaws.com`;
  if (!URL.canParse(base)) {
    throw new AppError(
      'ARTIFACT_UNAVAILABLE',
      `AWS_ENDPOINT_URL is no URL: ${base}; it is like https://store.example:9000.`,
    );
  }
  return `${base.replace(/\/+$/, '')}/${bucket}/${encoded(key)}`;
}

/** GET request, signed if keys exist (AWS Signature Version 4). */
export async function s3Request(
  address: S3Address,
  headers: Readonly<Record<string, string>>,
  environment: Environment,
): Promise<Request> {
  const region = environment['AWS_REGION'] || environment['AWS_DEFAULT_REGION'] || 'us-east-1';
  const url = objectUrl(address, environment, region);
  const accessKeyId = environment['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = environment['AWS_SECRET_ACCESS_KEY'];
  if (!accessKeyId || !secretAccessKey) return new Request(url, { headers });
  const sessionToken = environment['AWS_SESSION_TOKEN'];
  const client = new AwsClient({
    accessKeyId,
    secretAccessKey,
    region,
    service: 's3',
    ...(sessionToken && { sessionToken }),
  });
  return client.sign(url, { headers });
}
