import { defineAttack, post, postJson, RUN } from '../../hostile-client.js';

const VALUES = ['0', '-1', '1e-300', '5e-324', '1e308', '3600000', '3600001', '"1"', 'null', '[]', '{}', 'true', '2.5'];

export const attack = defineAttack(import.meta.url, {
  does: 'deadlines of a fraction of a nanosecond and of years, priorities without end, as JSON and in the query',
  bound: 'a deadline is above 0 and at most an hour; requests that cannot make theirs are refused at once',
  allowed: ['200', '400', '422', '503', '504', 'closed'],
  async run(client) {
    const input = '{"name":"image","datatype":"UINT8","shape":[1],"data":[97]}';
    const requests = VALUES.flatMap((value) => [
      ...['timeout_ms', 'timeout', 'priority'].map((name) =>
        postJson(`{"parameters":{"${name}":${value}},"inputs":[${input}]}`),
      ),
      post(`${RUN}?timeout_ms=${encodeURIComponent(value)}&timeout_ms=1&priority=${value.length}`, 'text/plain', 'a'),
    ]);
    await client.sendInTurns(10, (round) => requests[round % requests.length] ?? '');
  },
});
