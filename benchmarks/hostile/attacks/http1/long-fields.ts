import { defineAttack, get } from '../../hostile-client.js';

const LENGTH = 15_000;
const FIELDS = [
  `accept: ${'a/b;q=0.1,'.repeat(LENGTH / 10)}`,
  `accept: application/openmetrics-text${' ;\t'.repeat(LENGTH / 3)}x`,
  `accept-encoding: ${'gzip;q=1 ,'.repeat(LENGTH / 10)}`,
  `content-type: application/json${' '.repeat(LENGTH)}x`,
  `content-type: text/plain${'; a=b'.repeat(LENGTH / 5)}`,
  `authorization: Bearer${' '.repeat(LENGTH)}\tx`,
  `traceparent: 00-${'0'.repeat(LENGTH)}-01`,
  `tracestate: ${'a=b,'.repeat(LENGTH / 4)}`,
  `cookie: ${'a=b; '.repeat(LENGTH / 5)}`,
  `x-request-id: ${'i'.repeat(LENGTH)}`,
  `if-none-match: ${'"a", '.repeat(LENGTH / 5)}`,
  `inference-header-content-length: ${'9'.repeat(LENGTH)}`,
  `last-event-id: ${'-'.repeat(LENGTH)}1`,
  `host: ${'a.'.repeat(LENGTH / 2)}`,
  `x-forwarded-for: ${'1, '.repeat(LENGTH / 3)}`,
];
const PATHS = [
  '/metrics',
  '/openapi.json',
  '/v2/models/hostile',
  '/v1/pipelines/hostile/answers',
  `/metrics?${'seconds=1&'.repeat(LENGTH / 10)}`,
  `/v1/pipelines/hostile/run?${'timeout_ms=%&'.repeat(LENGTH / 13)}`,
  `/v2/models/${'%2e%2e%2f'.repeat(LENGTH / 9)}`,
  `/${'/'.repeat(LENGTH)}`,
];

export const attack = defineAttack(import.meta.url, {
  does: 'requests with one field or one query of 15 KB that is hard to read: spaces, commas, parameters, digits',
  bound: 'a field is read in time linear in its length',
  async run(client) {
    await client.sendInTurns(10, (round) => {
      const path = PATHS[round % PATHS.length] ?? '/';
      const isLong = path.length > 1000;
      return get(path, isLong ? [] : [FIELDS[Math.floor(round / 4) % FIELDS.length] ?? '']);
    });
  },
});
