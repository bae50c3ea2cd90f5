import { defineAttack, post } from '../../hostile-client.js';

const PIPELINE = '/admin/pipelines/hostile';
const NOW = Date.now();
const QUESTIONS: readonly (string | readonly [string, unknown])[] = [
  `${PIPELINE}/history?maxPoints=3600`,
  `${PIPELINE}/history?maxPoints=3600&fromEpochMs=0&toEpochMs=8640000000000000`,
  `${PIPELINE}/decisions?limit=200`,
  `${PIPELINE}/requests?limit=200&slowest=true`,
  `${PIPELINE}/profiles`,
  `${PIPELINE}/frontier?arrivalRps=1000000`,
  `${PIPELINE}/frontier`,
  '/openapi.json',
  '/metrics',
  [`${PIPELINE}/why`, { fromEpochMs: 0, toEpochMs: 8_640_000_000_000_000 }],
  [`${PIPELINE}/why`, { fromEpochMs: NOW - 3_600_000 }],
  [`${PIPELINE}/why`, { fromEpochMs: NOW, toEpochMs: 0 }],
];

export const attack = defineAttack(import.meta.url, {
  does: 'the largest questions to the admin port: the whole history, why over all time, the frontier for a million rps',
  bound: 'questions are limited by rate; those that compute run off the serving thread',
  port: 'admin',
  allowed: ['200', '400', '403', '409', '422', '429', '503', 'closed'],
  async run(client) {
    await client.sendInTurns(10, (round) => {
      const question = QUESTIONS[round % QUESTIONS.length] ?? '';
      const request =
        typeof question === 'string'
          ? `GET ${question} HTTP/1.1\r\nhost: a\r\n\r\n`
          : post(question[0], 'application/json', JSON.stringify(question[1])).toString();
      return request.replace('host: a', 'host: 127.0.0.1');
    });
  },
});
