import { defineAttack, get, postJson, RUN } from '../../hostile-client.js';

export const attack = defineAttack(import.meta.url, {
  does: '400 connections open the stream of answers and read nothing, while ten cause 200 refusals a second with long ids',
  bound: 'at most 64 listen, and one 1 MiB behind is disconnected',
  async run(client) {
    for (let count = 0; count < 400; count++)
      client.socket({ reads: false }).write(get('/v1/pipelines/hostile/answers'));
    const sockets = Array.from({ length: 10 }, () => client.socket());
    await client.repeat(50, (round) => {
      const id = `${round}-${'\u{1F600}'.repeat(4000)}`;
      const body = JSON.stringify({ id, inputs: [{ name: 'image', datatype: 'UINT8', shape: [1], data: [300] }] });
      for (const socket of sockets) {
        if (socket.writable) socket.write(round % 2 === 0 ? postJson(body) : postJson('{}', RUN));
      }
    });
  },
});
