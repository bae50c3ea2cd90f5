import { randomBytes } from 'node:crypto';
import { defineAttack, post, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'refused and patient requests, each with a sampled trace of its own and 12 KB of tracestate, as fast as answered',
  bound: 'kept traces and exemplars are bounded; a client cannot make the server keep its headers',
  async run(client) {
    await client.sendInTurns(20, (round) => {
      const [trace, span] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
      const state = Array.from({ length: 30 }, (_, index) => `v${index}=${randomBytes(190).toString('hex')}`).join(',');
      const headers = [`traceparent: 00-${trace}-${span}-01`, `tracestate: ${state}`];
      const path = `${RUN}?timeout_ms=${round % 2 === 0 ? 0.001 : 3_600_000}`;
      return post(path, 'text/plain', 'not good', headers);
    });
  },
});
