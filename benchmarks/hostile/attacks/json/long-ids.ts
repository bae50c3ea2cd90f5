import { defineAttack, INFER, postJson } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '100 connections send requests that may wait an hour, each with a tensor of 9 bytes and an id of 2 MB',
  bound: 'the id and the output names of a request are bounded',
  allowed: ['413', '503', 'closed'],
  run(client) {
    const text = 'good word';
    const request = postJson(
      JSON.stringify({
        id: 'i'.repeat(2_000_000),
        inputs: [{ name: 'image', datatype: 'UINT8', shape: [text.length], data: [...Buffer.from(text)] }],
        parameters: { timeout_ms: 3_600_000 },
      }),
      INFER,
    );
    const sockets = Array.from({ length: 100 }, () => client.socket());
    return client.repeat(200, () => {
      for (const socket of sockets) if (socket.writable && socket.writableLength === 0) socket.write(request);
    });
  },
});
