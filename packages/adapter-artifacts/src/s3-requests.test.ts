import { describe, expect, it } from 'vitest';
import { s3Request } from './s3-requests.js';

const address = { kind: 's3', bucket: 'models', key: "a b/c's+é.onnx" } as const;
const keys = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' };

describe('s3Request', () => {
  it('goes to the store of the region', async () => {
    const { url } = await s3Request(address, {}, { AWS_REGION: 'eu-central-1' });
    expect(url).toBe('https://models.s3.eu-central-1.amazonaws.com/a%20b/c%27s%2B%C3%A9.onnx');
  });

  it('goes to the endpoint that the environment names, the bucket in the path', async () => {
    const { url } = await s3Request(address, {}, { AWS_ENDPOINT_URL: 'http://127.0.0.1:9000/' });
    expect(url).toBe('http://127.0.0.1:9000/models/a%20b/c%27s%2B%C3%A9.onnx');
  });

  it('has no host name for a bucket with dots', async () => {
    const { url } = await s3Request({ ...address, bucket: 'my.models', key: 'a' }, {}, {});
    expect(url).toBe('https://s3.us-east-1.amazonaws.com/my.models/a');
  });

  it('is signed with the keys of the environment and not without', async () => {
    const signed = await s3Request(address, {}, { ...keys, AWS_SESSION_TOKEN: 'session' });
    expect(signed.headers.get('authorization')).toMatch(/^AWS4-HMAC-SHA256 Credential=id\/\d{8}\/us-east-1\/s3\//);
    expect(signed.headers.get('x-amz-security-token')).toBe('session');
    const plain = await s3Request(address, { 'if-none-match': '"tag"' }, { AWS_ACCESS_KEY_ID: 'id' });
    expect(plain.headers.has('authorization')).toBe(false);
    expect(plain.headers.get('if-none-match')).toBe('"tag"');
  });

  it('names the variable that is no URL', async () => {
    await expect(s3Request(address, {}, { AWS_ENDPOINT_URL: 'minio' })).rejects.toThrow('AWS_ENDPOINT_URL');
  });
});
