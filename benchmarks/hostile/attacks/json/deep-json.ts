import { defineAttack, postJson } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: 'two million opening brackets; the same as data of a tensor, and as objects in objects',
  bound: 'JSON has at most 64 levels',
  allowed: ['400', '413', '422', '503', 'closed'],
  async run(client) {
    const requests = [
      '['.repeat(2_000_000),
      `{"inputs":[{"name":"image","datatype":"UINT8","shape":[1],"data":${'['.repeat(30_000)}1${']'.repeat(30_000)}}]}`,
      '{"a":'.repeat(300_000),
      `{"inputs":[{"name":"image","datatype":"UINT8","shape":[${'1,'.repeat(20_000)}1],"data":${'['.repeat(60)}1${']'.repeat(60)}}]}`,
    ].map((body) => postJson(body));
    await client.sendInTurns(10, (round) => requests[round % requests.length] ?? '');
  },
});
