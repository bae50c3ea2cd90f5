import { defineAttack, postJson, RUN } from '../../hostile-client.js';

const INPUT = '{"name":"image","datatype":"UINT8","shape":[1],"data":[97]}';
const BODIES = [
  `{"__proto__":{"inputs":[${INPUT}]},"constructor":{"prototype":{"timeout_ms":1}},"inputs":[${INPUT}]}`,
  `{"inputs":[{"name":"__proto__","datatype":"UINT8","shape":[1],"data":[1]},${INPUT}]}`,
  `{"inputs":[${INPUT},${INPUT}]}`,
  `{"inputs":[${INPUT}],"outputs":[{"name":"__proto__"},{"name":"toString"}]}`,
  `{"inputs":[${INPUT}],"inputs":[${INPUT}],"id":"a","id":"b","parameters":{"__proto__":{"timeout_ms":1e-9}}}`,
  `{"inputs":[${INPUT}],"outputs":[${`{"name":"mood"},`.repeat(50_000)}{"name":"mood"}]}`,
  `{"inputs":[${INPUT}],"id":"${'\\ud800'.repeat(300_000)}"}`,
  `{"inputs":[${`${INPUT},`.repeat(20_000)}${INPUT}]}`,
];

export const attack = defineAttack(import.meta.url, {
  does: 'names of prototypes, names twice, 50,000 outputs, half surrogate pairs, 20,000 tensors',
  bound: 'names are data; the number of tensors is bounded',
  allowed: ['200', '400', '413', '422', '503', '504', 'closed'],
  async run(client) {
    const requests = BODIES.map((body) => postJson(body));
    requests.push(
      postJson(`{"__proto__":[97],"image":[97]}`, RUN),
      postJson(`{"image":[${'[],'.repeat(200_000)}[]]}`, RUN),
    );
    await client.sendInTurns(10, (round) => requests[round % requests.length] ?? '');
  },
});
