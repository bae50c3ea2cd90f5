import { defineAttack, postJson } from '../../hostile-client.js';

const BODIES = [
  `{"parameters":{"a":[${'{},'.repeat(262_000)}{}]},"inputs":[]}`,
  `{"parameters":{"a":[${'0,'.repeat(1_000_000)}0]},"inputs":[]}`,
  `{"parameters":{${Array.from({ length: 8_000 }, (_, index) => `"${index * 65_537}":{"a":1}`).join()}},"inputs":[]}`,
  `{"parameters":{"a":[${`${'['.repeat(58)}${']'.repeat(58)},`.repeat(4400)}0]},"inputs":[]}`,
];

export const attack = defineAttack(import.meta.url, {
  does: 'JSON just within each limit (objects, values, names, depth), on ten connections in turns',
  bound: 'large JSON is parsed off the serving thread, 4 MiB at a time; connections take turns',
  allowed: ['400', '413', '422', '503', '504', 'closed'],
  async run(client) {
    const requests = BODIES.map((body) => postJson(body));
    await client.sendInTurns(10, (round) => requests[round % requests.length] ?? '');
  },
});
