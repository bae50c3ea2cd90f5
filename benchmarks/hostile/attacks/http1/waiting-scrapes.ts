import { defineAttack, get } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '1,000 connections ask for metrics that come later or at a burst of one request, and ask again',
  bound: 'at most 16 wait; metrics are rendered at most twice a second',
  async run(client) {
    const most = Array.from({ length: 16 }, (_, index) => `most=${index + 1}:0`).join('&');
    await client.sendInTurns(1000, (round) =>
      get(round % 2 === 0 ? `/metrics?wait_ms=15000&seconds=600&${most}` : '/metrics?wait_ms=1&seconds=600', [
        `accept: ${round % 4 < 2 ? 'application/openmetrics-text;version=1.0.0' : 'text/plain'}`,
      ]),
    );
  },
});
