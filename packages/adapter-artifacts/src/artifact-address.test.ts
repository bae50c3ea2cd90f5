import { describe, expect, it } from 'vitest';
import { artifactAddress, fileNameOf, isAddress, redirectedUrl } from './artifact-address.js';

describe('isAddress', () => {
  it.each([
    ['./models/a.onnx', false],
    ['/models/a.onnx', false],
    ['npm:package/a.onnx', false],
    ['https://host/a.onnx', true],
    ['S3://bucket/a', true],
    ['gs://bucket/a', true],
  ])('%s: %s', (reference, expected) => {
    expect(isAddress(reference)).toBe(expected);
  });
});

describe('artifactAddress', () => {
  it('reads addresses of the web and of a store', () => {
    expect(artifactAddress('https://host/a.onnx?v=1#part')).toEqual({ kind: 'http', url: 'https://host/a.onnx?v=1' });
    expect(artifactAddress('s3://my.bucket/some folder/a.onnx')).toEqual({
      ...{ kind: 's3', bucket: 'my.bucket' },
      key: 'some folder/a.onnx',
    });
    expect(artifactAddress('http://127.0.0.1:9000/a')).toMatchObject({ kind: 'http' });
  });

  it.each([
    ['http://example.org/a.onnx', 'use https:'],
    ['gs://bucket/a', 'gs: is not supported'],
    ['s3://bucket', 's3://bucket/key'],
    ['s3://Bucket_/a', 's3://bucket/key'],
    ['https://', 'not a valid URL'],
  ])('does not ask %s', (reference, reason) => {
    expect(() => artifactAddress(reference)).toThrow(reason);
  });

  it.each([
    'https://user:secret@host/a',
    'https://user:other/secret@host/a',
    'https://user:secret@host:x/a',
    'https:\\\\user:secret@host:x/a',
    'ftp://user:secret@host/a',
    's3://user:other/secret@bucket/key',
    'http://host/a?signature=secret',
    'http://host:x/a?signature=secret@host',
  ])('does not repeat the credentials of %s', (reference) => {
    const refused = () => artifactAddress(reference);
    expect(refused).toThrow('is not fetched');
    expect(refused).not.toThrow('secret');
  });

  it('does not repeat the credentials of a redirect', () => {
    for (const location of [
      'http://user:secret@127.0.0.1/b',
      'http://127.0.0.1/b?secret',
      'http://user:secret@host:x',
    ]) {
      const refused = () => redirectedUrl('https://host/a?secret', location);
      expect(refused).toThrow('is not fetched');
      expect(refused).not.toThrow('secret');
    }
  });
});

describe('fileNameOf', () => {
  it.each([
    ['https://host/models/a.onnx?x=1', 'a.onnx'],
    ['https://host/', 'artifact'],
    ['https://host/a%20b.onnx', 'a_b.onnx'],
    ['https://host/%zz', '_zz'],
    ['https://host/a/%2e%2e%2f..', 'artifact'],
    ['s3://bucket/folder/.hidden', 'hidden'],
  ])('%s: %s', (reference, name) => {
    expect(fileNameOf(artifactAddress(reference))).toBe(name);
  });
});
