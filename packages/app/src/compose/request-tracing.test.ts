import { describe, expect, it } from 'vitest';
import { exportPlace } from './request-tracing.js';

const at = (environment: Record<string, string>, otlpEndpoint?: string) =>
  exportPlace({ traceSample: 0.01, otlpEndpoint }, environment);

describe('the place to which traces go', () => {
  it.each([
    ['the flag', {}, 'http://c:4318', 'http://c:4318/v1/traces'],
    ['a flag with a slash at its end', {}, 'http://c:4318/', 'http://c:4318/v1/traces'],
    ['a flag with a query', {}, 'http://c:4318/otlp/?key=1/', 'http://c:4318/otlp/v1/traces?key=1/'],
    ['the environment', { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c/otlp' }, undefined, 'https://c/otlp/v1/traces'],
    [
      'the whole URL, before the other',
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://d/x' },
      undefined,
      'http://d/x',
    ],
    [
      'the flag, before the environment',
      { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://d/x' },
      'http://c',
      'http://c/v1/traces',
    ],
  ])('is that of %s', (_, environment, flag, url) => {
    expect(at(environment as unknown as Record<string, string>, flag)?.url).toBe(url);
  });

  it.each([
    ['nothing names a collector', {}],
    ['a variable is empty', { OTEL_EXPORTER_OTLP_ENDPOINT: '' }],
    ['the SDK is disabled', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c', OTEL_SDK_DISABLED: 'TRUE' }],
  ])('is none if %s', (_, environment) => {
    expect(at(environment as unknown as Record<string, string>)).toBeUndefined();
  });

  it('has headers and attributes of the environment', () => {
    const environment = {
      OTEL_SERVICE_NAME: 'shelf',
      OTEL_RESOURCE_ATTRIBUTES: 'service.name=other, team=a%2Cb',
      OTEL_EXPORTER_OTLP_HEADERS: 'key=1, x=2',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'x=3',
    };
    expect(at(environment, 'http://c')).toMatchObject({
      headers: { key: '1', x: '3' },
      resource: { 'service.name': 'shelf', team: 'a,b' },
    });
    expect(at({}, 'http://c')).toMatchObject({ headers: {}, resource: { 'service.name': 'equipoise' } });
  });

  it.each([
    ['http://user:s3cret@c:4318', {}],
    ['grpc://s3cret@c', {}],
    ['http://c', { OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20s3cret%0Ax' }],
    ['http://c', { OTEL_EXPORTER_OTLP_HEADERS: 'authorization=s3cret%E2%82%AC' }],
    ['http://c', { OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'a(b=s3cret' }],
  ])('is refused for %s with %o, without the secret in the message', (flag, environment) => {
    const refused = () => at(environment as unknown as Record<string, string>, flag);
    expect(refused).toThrow(expect.objectContaining({ code: 'WRONG_USAGE' }));
    expect(refused).not.toThrow(/s3cret/);
  });

  it.each([
    ['localhost:4318', {}],
    ['grpc://c:4317', {}],
    ['not a URL', {}],
    ['http://c', { OTEL_EXPORTER_OTLP_HEADERS: 'key' }],
    ['http://c', { OTEL_EXPORTER_OTLP_HEADERS: 'key=%zz' }],
    ['http://c', { OTEL_RESOURCE_ATTRIBUTES: '=1' }],
  ])('is refused for %s with %o', (flag, environment) => {
    expect(() => at(environment as unknown as Record<string, string>, flag)).toThrow(
      expect.objectContaining({ code: 'WRONG_USAGE' }),
    );
  });
});
