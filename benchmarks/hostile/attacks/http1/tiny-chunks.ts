import { defineAttack, postHead, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '20 connections send bodies of 200,000 chunks of one byte',
  bound: 'chunks are joined in linear time; bytes of the framing count',
  async run(client) {
    const head = postHead(RUN, ['content-type: text/plain', 'transfer-encoding: chunked']);
    const body = Buffer.from(`${'1\r\na\r\n'.repeat(200_000)}0\r\n\r\n`);
    await client.sendInTurns(20, () => Buffer.concat([head, body]));
  },
});
