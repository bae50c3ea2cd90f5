import { defineAttack, postJson } from '../../hostile-client.js';

const SHAPES = [
  '[9007199254740992]',
  '[4294967296,4294967296]',
  '[-1]',
  '[1e308]',
  '[0,65536]',
  '[65536,0]',
  '[1000000000,0]',
  '[65535,65535,0]',
  '[1.5]',
  '[]',
  `[${'65536,'.repeat(64)}0]`,
  `[${'1,'.repeat(30_000)}1]`,
];

export const attack = defineAttack(import.meta.url, {
  does: 'shapes that disagree with the data, whose products overflow, with rows of nothing, with 30,000 dimensions',
  bound: 'memory is taken for data that is there, not for a shape that is stated',
  allowed: ['200', '400', '413', '422', '503', '504', 'closed'],
  async run(client) {
    const requests = SHAPES.flatMap((shape) =>
      ['[]', '[97]', `[${'[],'.repeat(60_000)}[]]`].map((data) =>
        postJson(`{"inputs":[{"name":"image","datatype":"UINT8","shape":${shape},"data":${data}}]}`),
      ),
    );
    await client.sendInTurns(10, (round) => requests[round % requests.length] ?? '');
  },
});
